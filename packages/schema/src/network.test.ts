import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { expect, test } from 'vitest';
import { seededRandom, seeds } from '../../../tests/support/random.ts';
import { count } from '../../../tests/support/size.ts';
import { formatIpAddress, parseIpAddress } from './ip-address.ts';
import { isWithin, parseNetwork } from './network.ts';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['::', '0:0:0:0:0:0:0:0'],
  ['::1', '0:0:0:0:0:0:0:1'],
  ['2001:DB8::1', '2001:db8:0:0:0:0:0:1'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1'],
  ['64:ff9b::169.254.169.254', '64:ff9b:0:0:0:0:a9fe:a9fe'],
])('%s is %s', (text, plain) => {
  expect(formatIpAddress(parseIpAddress(text) ?? [])).toBe(plain);
});

test.each([
  ...['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '0x7f.0.0.1', '1.2.3.4 ', '1.2.3.4%eth0'],
  ...[':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '12345::', 'g::'],
  ...['1.2.3.4::', '::1.2.3.4:5', '[::1]', '::1%', 'localhost', '1:2:3:4:5:6:7:1.2.3.4'],
])('%j is no address', (text) => {
  expect(parseIpAddress(text)).toBeUndefined();
});

test.each(seeds([20_260_122]))(
  'seed %i: whatever node takes for an address, and no more, is one here',
  (seed) => {
    const random = seededRandom(seed);
    const alphabet = '0123456789abcdefF:::...';
    const letter = () => alphabet[Math.floor(random() * alphabet.length)] ?? '';
    const rounds = count({ reduced: 20_000, whole: 1_000_000 });
    for (let round = 0; round < rounds; round++) {
      const text = Array.from({ length: 2 + Math.floor(random() * 12) }, letter).join('');
      expect(parseIpAddress(text) !== undefined, text).toBe(isIPv4(text) || isIPv6(text));
    }
  },
);

test.each(seeds([20_260_123]))('seed %i: what is within a network is what node’s BlockList says', (seed) => {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  for (let round = 0; round < 2_000; round++) {
    const isShort = random() < 0.5;
    const make = () =>
      isShort
        ? Array.from({ length: 4 }, () => below(2) * 255).join('.')
        : Array.from({ length: 8 }, () => (below(2) * 0xffff).toString(16)).join(':');
    const [base, address, bits] = [make(), make(), below(isShort ? 33 : 129)];
    const family = isShort ? 'ipv4' : 'ipv6';
    const list = new BlockList();
    list.addSubnet(base, bits, family);
    const found = isWithin(parseIpAddress(address) ?? [], [parseNetwork(`${base}/${bits}`)]);
    expect(found, `${address} in ${base}/${bits}`).toBe(list.check(address, family));
  }
});

test('IPv4 is within an IPv4 network however it is written, never within a network of IPv6', () => {
  const mapped = parseIpAddress('::ffff:10.1.2.3') ?? [];
  expect(isWithin(mapped, [parseNetwork('10.0.0.0/8')])).toBe(true);
  expect(isWithin(mapped, [parseNetwork('::ffff:10.0.0.0/104')])).toBe(true);
  expect(isWithin(mapped, [parseNetwork('fc00::/7'), parseNetwork('11.0.0.0/8')])).toBe(false);
});

test.each([
  '',
  '/',
  '/8',
  '10.0.0.0/',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/08',
  '10.0.0.0/8/8',
  '::/129',
  'ten/8',
  '10/8',
  'fe80::%1/64',
])('%j is no network, and the message says which one it was', (text) => {
  expect(() => parseNetwork(text)).toThrow(JSON.stringify(text));
});
