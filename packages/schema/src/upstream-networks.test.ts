import { expect, test } from 'vitest';
import { parseIpAddress } from './ip-address.ts';
import { parseNetworks } from './network.ts';
import { addressRefusal, defaultUpstreamNetworks, hostRefusal } from './upstream-networks.ts';

const usual = parseNetworks(defaultUpstreamNetworks);
const everything = parseNetworks(['0.0.0.0/0', '::/0']);
const hostOf = (url: string) => new URL(url).hostname;

test.each([
  ...['http://127.0.0.1', 'http://127.255.0.1', 'http://10.1.2.3', 'http://172.31.0.1', 'http://192.168.0.1'],
  ...[
    'http://[::1]',
    'http://[fd12:3456::1]',
    'http://[::ffff:10.0.0.1]',
    'http://0x7f.1',
    'http://localhost',
  ],
  ...[
    'http://tickets.internal',
    'amqp://10.0.0.1',
    'amqp://broker',
    'http://metadata',
    'http://tickets.internal.',
  ],
])('%s may be an upstream as things are', (url) => {
  expect(hostRefusal(hostOf(url), usual)).toBeUndefined();
});

test.each([
  ...['http://192.0.2.1', 'http://100.64.0.1', 'http://172.32.0.1', 'http://[2001:db8::1]', 'http://8.8.8.8'],
  ...['http://[::ffff:8.8.8.8]', 'http://134744072', 'amqp://0x08080808', 'http://[64:ff9b::10.0.0.1]'],
  ...['http://[2002:a00:1::]'],
])('%s only where the operator says so', (url) => {
  expect(hostRefusal(hostOf(url), usual)).toMatch('is not in the networks of --allow-upstreams');
  expect(hostRefusal(hostOf(url), everything)).toBeUndefined();
});

/** 169.254.169.254 in every spelling that something on the way may read as it. */
const metadata = [
  ...['http://169.254.169.254', 'http://2852039166', 'http://0xa9fea9fe', 'http://0xA9.0xFE.0xA9.0xFE'],
  ...['http://0251.0376.0251.0376', 'http://169.254.43518', 'http://169.16689662', 'http://169.254.169.254.'],
  ...['http://%31%36%39.254.169.254', 'http://１６９.254.169.254', 'http://169。254。169。254'],
  ...['amqp://169.254.169.254', 'amqp://2852039166', 'amqp://0xa9fea9fe', 'amqp://%31%36%39.254.169.254'],
  ...['http://[::ffff:169.254.169.254]', 'http://[::ffff:a9fe:a9fe]', 'http://[0:0:0:0:0:FFFF:A9FE:A9FE]'],
  ...['http://[::169.254.169.254]', 'http://[64:ff9b::a9fe:a9fe]', 'http://[64:ff9b:1::a9fe:a9fe]'],
  ...['http://[64:ff9b:1:a9fe:a9:fe00::]', 'http://[2002:a9fe:a9fe::1]', 'http://[::ffff:0:169.254.169.254]'],
  'amqp://[::ffff:a9fe:a9fe]',
];

test.each([
  ...metadata,
  ...['http://169.254.1.1', 'http://[fe80::1]', 'http://[febf::1]', 'http://100.100.100.200'],
  ...[
    'http://[fd00:ec2::254]',
    'http://[fd20:ce::254]',
    'http://[fd00:c1::a9fe:a9fe]',
    'http://168.63.129.16',
  ],
  ...[
    'http://0.0.0.0',
    'http://0',
    'http://0.1.2.3',
    'http://[::]',
    'http://[::ffff:0.0.0.0]',
    'http://[::2]',
  ],
  ...[
    'http://224.0.0.1',
    'http://239.1.2.3',
    'http://[ff02::1]',
    'http://255.255.255.255',
    'http://4294967295',
  ],
  ...['http://metadata.google.internal', 'http://METADATA.GOOGLE.INTERNAL.', 'amqp://Metadata.Goog'],
  'http://instance-data.ec2.internal',
])('%s never, whatever the operator says', (url) => {
  expect(hostRefusal(hostOf(url), everything)).toMatch(/unspecified|broadcast|multicast|metadata|link-local/);
});

test('a zone is no way out: no URL takes one, and the address of a socket is judged without', () => {
  expect(URL.canParse('http://[fe80::1%25eth0]')).toBe(false);
  expect(addressRefusal(parseIpAddress('fe80::1%eth0') ?? [], everything)).toMatch('link-local');
});

test.each(['', 'a b', '[', '[::1', 'a/b', 'a%2Fb'])(
  'a host %j that would be read as something else is refused',
  (host) => {
    expect(hostRefusal(host, everything)).toBeDefined();
  },
);
