import { expect, test } from 'vitest';
import { registryAddresses, shownAddress } from './addresses.ts';

const addresses = (option: string | undefined, environment: Record<string, string>) =>
  registryAddresses(option, environment).map(String);

test.each([
  [
    'the option goes first',
    'http://a:1',
    { SELF_REGISTRY: 'http://b:1', REG_REGISTRY: 'http://c:1' },
    ['http://a:1/'],
  ],
  [
    'then a URL in SELF_REGISTRY',
    undefined,
    { SELF_REGISTRY: 'http://b:1', REG_REGISTRY: 'http://c:1' },
    ['http://b:1/'],
  ],
  [
    'SELF_REGISTRY=1 names none',
    undefined,
    { SELF_REGISTRY: '1', REG_REGISTRY: 'http://c:1' },
    ['http://c:1/'],
  ],
  ['then REG_REGISTRY', undefined, { REG_REGISTRY: 'http://c:1' }, ['http://c:1/']],
  ['an empty REG_REGISTRY is none', undefined, { REG_REGISTRY: '' }, ['http://127.0.0.1:3100/']],
  ['else the default', undefined, {}, ['http://127.0.0.1:3100/']],
  ['a list, with spaces', 'http://a:1, https://b:2/reg ,', {}, ['http://a:1/', 'https://b:2/reg']],
])('%s', (_, option, environment, expected) => {
  expect(addresses(option, environment)).toEqual(expected);
});

test.each(['', ' , ', 'localhost:3100', 'ftp://a', 'nonsense'])(
  '%j is refused: invalid_request',
  (option) => {
    expect(() => registryAddresses(option, {})).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        errors: [expect.objectContaining({ field: 'registry' })],
      }),
    );
  },
);

test('an address in a log holds no credentials', () => {
  expect(shownAddress(new URL('http://ada:secret@a:1/reg/?x=1'))).toBe('http://a:1/reg');
});
