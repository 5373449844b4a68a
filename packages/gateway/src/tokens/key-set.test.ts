import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { issuerKey } from './issuer.fixture.ts';
import { parseKeySet } from './key-set.ts';

const ec = issuerKey('ec').jwk;
const rsa = issuerKey('rsa', 'RS256').jwk;
const parse = (...keys: readonly object[]) => parseKeySet(JSON.stringify({ keys }));

const rsaOf = (modulusLength: number): JsonWebKey =>
  generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' });
const ecOf = (namedCurve: string): JsonWebKey =>
  generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' });
const modulusOf = (value: bigint) =>
  Buffer.from(value.toString(16).padStart(600, '0'), 'hex').toString('base64url');

test.each<[why: string, key: object]>([
  ['a modulus of 1024 bits', rsaOf(1024)],
  ['the exponent 1', { ...rsa, e: 'AQ' }],
  ['an even exponent', { ...rsa, e: 'BA' }],
  ['a modulus beyond 8192 bits', { ...rsa, n: modulusOf(2n ** 8_200n + 1n) }],
  ['a modulus of a broken chip', { ...rsa, n: modulusOf(65_537n ** 130n) }],
  ['no modulus', { ...rsa, n: undefined }],
  ['another curve', ecOf('P-384')],
  ['a curve of the same length', ecOf('secp256k1')],
  ['a point beside its curve', { ...ec, y: ec.x }],
  ['another algorithm', { ...rsa, alg: 'PS256' }],
  ['an algorithm of another kind', { ...ec, alg: 'RS256' }],
  ['HMAC as algorithm', { ...rsa, alg: 'HS256' }],
  ['another use', { ...rsa, use: 'enc' }],
  ['other operations', { ...rsa, key_ops: ['encrypt'] }],
  ['operations that are no list', { ...rsa, key_ops: 'verify' }],
  ['a kid that is no text', { ...rsa, kid: 7 }],
  ['an unknown kind', { kty: 'OKP', crv: 'Ed25519', x: ec.x }],
  ['no kind', {}],
])('a key with %s is passed over; alone it makes no set', (_why, key) => {
  expect(parse(key, ec)).toHaveLength(1);
  expect(() => parse(key)).toThrow('no key for RS256 or ES256');
});

test('a key says as much of itself as it likes, as long as it fits', () => {
  const said = { use: 'sig', key_ops: ['verify'], x5t: 'x', unknown: { a: 1 } };
  const keys = parse({ ...rsa, ...said, alg: 'RS256' }, { ...ec, ...said, alg: 'ES256', kid: undefined });
  expect(keys).toMatchObject([
    { kid: 'rsa', algorithm: 'RS256' },
    { kid: undefined, algorithm: 'ES256' },
  ]);
});
