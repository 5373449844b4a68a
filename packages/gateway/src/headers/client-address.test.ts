import { parseNetworks } from '@reg/schema/networks';
import { expect, test } from 'vitest';
import { clientAddress } from './client-address.ts';

const proxies = parseNetworks(['10.0.0.0/8', 'fd00::/8']);
const seenFrom = (peer: string, ...values: string[]) =>
  clientAddress(
    peer,
    values.flatMap((value) => ['X-Forwarded-For', value]),
    proxies,
  );

test.each<[why: string, peer: string, values: string[], client: string]>([
  ['nothing is said', '10.0.0.1', [], '10.0.0.1'],
  ['one hop', '10.0.0.1', ['192.0.2.7'], '192.0.2.7'],
  ['left of an untrusted one anybody may have written', '10.0.0.1', ['10.9.9.9, 192.0.2.7'], '192.0.2.7'],
  [
    'trusted ones are passed over',
    '::ffff:10.0.0.1',
    ['198.51.100.1, 192.0.2.7, 10.0.0.3,10.0.0.2'],
    '192.0.2.7',
  ],
  ['in several fields', '10.0.0.1', ['198.51.100.1', '192.0.2.7', '10.0.0.2'], '192.0.2.7'],
  ['all are trusted', '10.0.0.1', ['10.0.0.3, 10.0.0.2'], '10.0.0.3'],
  ['with ports', 'fd00::1', ['[2001:db8::7]:4711, 10.0.0.2:80'], '2001:db8::7'],
  ['IPv6 without brackets', 'fd00::1', ['2001:db8::7'], '2001:db8::7'],
  ['what cannot be read ends it', '10.0.0.1', ['192.0.2.7, unknown, 10.0.0.2'], '10.0.0.2'],
  ['no address at all', '10.0.0.1', ['<script>', ' , '], '10.0.0.1'],
])('behind a trusted proxy: %s', (_why, peer, values, address) => {
  expect(seenFrom(peer, ...values)).toEqual({ address, byTrustedProxy: true });
});

test.each(['192.0.2.1', '', '2001:db8::1', 'nonsense'])(
  'the peer %j is no proxy of ours: it speaks for itself',
  (peer) => {
    expect(seenFrom(peer, '10.0.0.2, 192.0.2.7')).toEqual({ address: peer, byTrustedProxy: false });
  },
);

test('a field of thousands of hops is read to a limit', () => {
  const { address } = seenFrom('10.0.0.1', `192.0.2.7${', 10.0.0.2'.repeat(5_000)}`);
  expect(address).toBe('10.0.0.2');
});
