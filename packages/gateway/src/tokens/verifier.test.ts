import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { isRegError } from '@reg/schema/problem';
import jwt from 'jsonwebtoken';
import { expect, test } from 'vitest';
import { goodClaims, secret, secretText, signed, testTime } from './signed.fixture.ts';
import { createTokenVerifier, type TokenVerifierOptions } from './verifier.ts';

const verifier = (options: Partial<TokenVerifierOptions> = {}) =>
  createTokenVerifier({ secret, now: () => testTime, ...options });

const seconds = testTime / 1_000;
const withClaims = (claims: object) => signed({ ...goodClaims, ...claims });
/** JSON that JSON.stringify would not write. */
const withRaw = (name: string, raw: string) =>
  signed(JSON.stringify({ ...goodClaims, [name]: '@' }).replace('"@"', raw));

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = String(publicKey.export({ type: 'spki', format: 'pem' }));

test('a token of any library that signs by the same secret names its principal', async () => {
  const { exp, ...claims } = goodClaims;
  const token = jwt.sign(claims, secretText, { algorithm: 'HS256', expiresIn: '1h' });
  const principal = await createTokenVerifier({ secret: secretText }).verify(token);
  expect(principal).toMatchObject({ subject: 'ann', roles: ['tickets-query'], claims: { aud: 'reg' } });
});

test('an Auth0-shaped token: issuer URL, several audiences, a role claim named by a URL', async () => {
  const claims = {
    'https://example.com/roles': ['tickets-query', 'billing'],
    iss: 'https://team.eu.auth0.com/',
    sub: 'auth0|64b8f0c2',
    aud: ['https://api.example.com', 'https://team.eu.auth0.com/userinfo'],
    iat: seconds,
    exp: seconds + 86_400,
    azp: 'k3J9',
    scope: 'openid profile read:tickets',
    permissions: ['read:tickets', 'write:tickets'],
  };
  const pinned = { issuer: 'https://team.eu.auth0.com/', audience: 'https://api.example.com' };
  const rolesBy = async (rolesClaim: string) =>
    (await verifier({ ...pinned, rolesClaim }).verify(signed(claims))).roles;
  expect(await rolesBy('https://example.com/roles')).toEqual(['tickets-query', 'billing']);
  expect(await rolesBy('scope')).toEqual(['openid', 'profile', 'read:tickets']);
  expect(await rolesBy('permissions')).toEqual(['read:tickets', 'write:tickets']);
  expect(await rolesBy('roles')).toEqual([]);
  const other = verifier({ ...pinned, issuer: 'https://team.eu.auth0.com' }); // no slash: another issuer
  await expect(other.verify(signed(claims))).rejects.toThrow('issuer invalid');
});

test.each<[why: string, claims: object, rolesClaim: string, roles: string[]]>([
  ['no claim', { roles: undefined }, 'roles', []],
  ['a word is not an array', { roles: 'admin' }, 'roles', []],
  ['words only in scope', { roles: 'admin ops' }, 'roles', []],
  ['an object', { roles: { admin: true } }, 'roles', []],
  ['a number among them', { roles: ['admin', 1] }, 'roles', []],
  ['an array within', { roles: [['admin']] }, 'roles', []],
  ['null', { roles: null }, 'roles', []],
  ['a lone surrogate', { roles: ['\ud800'] }, 'roles', []],
  ['a path is no path', { realm_access: { roles: ['admin'] } }, 'realm_access.roles', []],
  ['a key with a dot', { 'realm_access.roles': ['admin'] }, 'realm_access.roles', ['admin']],
  ['nothing inherited', {}, 'constructor', []],
  ['words of scope', { scope: ' a  b ' }, 'scope', ['a', 'b']],
  ['an array named scope', { scope: ['a b', 'c'] }, 'scope', ['a b', 'c']],
  ['a URL that ends in scope', { 'https://x.example/scope': 'a b' }, 'https://x.example/scope', []],
])('roles: %s', async (_why, claims, rolesClaim, roles) => {
  expect((await verifier({ rolesClaim }).verify(withClaims(claims))).roles).toEqual(roles);
});

test('sub that is no string is no subject; one that no header can carry refuses the token', async () => {
  expect(await verifier().verify(withClaims({ sub: undefined }))).toMatchObject({ subject: '' });
  expect(await verifier().verify(withClaims({ sub: 7 }))).toMatchObject({ subject: '' });
  await expect(verifier().verify(withClaims({ sub: 'a\ud800' }))).rejects.toThrow('well-formed');
});

const [head = '', payload = '', signature = ''] = signed(goodClaims).split('.');
const none = Buffer.from('{"alg":"none"}').toString('base64url');
const signedAs = (header: unknown) => signed(goodClaims, header);
const hs256 = { alg: 'HS256', typ: 'JWT' };

test.each<[why: string, token: string, reason: RegExp]>([
  // Form
  ['empty', '', /malformed/],
  ['one segment', head, /malformed/],
  ['two segments', `${head}.${payload}`, /malformed/],
  ['four segments', `${head}.${payload}.${signature}.${signature}`, /malformed/],
  ['no signature', `${head}.${payload}.`, /malformed/],
  ['no payload', `${head}..${signature}`, /malformed/],
  ['padding', `${head}.${payload}.${signature}=`, /malformed/],
  ['a space', `${head}.${payload}. ${signature}`, /malformed/],
  ['a line break at the end', `${head}.${payload}.${signature}\n`, /malformed/],
  ['a comma and another token', `${head}.${payload}.${signature},Bearer`, /malformed/],
  ['unused bits set', signed(goodClaims).replace(/.$/, (last) => oneBitMore(last)), /base64url/],
  ['a spare character', `${head}.${payload}.${signature}AA`, /base64url/],
  ['above 64 KiB', signed({ ...goodClaims, pad: 'x'.repeat(64 * 1024) }), /64 KiB/],
  ['a million dots', '.'.repeat(1_000_000), /64 KiB/],
  ['64 KiB of dots', '.'.repeat(65_536), /malformed/],
  [
    'JSON serialization',
    JSON.stringify({ payload, signatures: [{ protected: head, signature }] }),
    /malformed/,
  ],
  // Header and algorithm
  ['alg none', `${none}.${payload}.${signature}`, /algorithm/],
  ['alg none, no signature', `${none}.${payload}.`, /malformed/],
  ['alg None', signedAs({ alg: 'None' }), /algorithm/],
  ['alg missing', signedAs({ typ: 'JWT' }), /algorithm/],
  ['alg null', signedAs({ alg: null }), /algorithm/],
  ['alg an array', signedAs({ alg: ['HS256'] }), /algorithm/],
  ['alg hs256', signedAs({ alg: 'hs256' }), /algorithm/],
  ['alg HS512 over an HS256 signature', signedAs({ alg: 'HS512' }), /algorithm/],
  ['a true HS512', jwt.sign(goodClaims, secretText, { algorithm: 'HS512' }), /algorithm/],
  ['a true RS256', jwt.sign(goodClaims, privateKey, { algorithm: 'RS256' }), /algorithm/],
  [
    'HS256 by the public key of RS256',
    signed(goodClaims, hs256, createSecretKey(Buffer.from(pem))),
    /signature/,
  ],
  ['crit', signedAs({ ...hs256, crit: ['exp'] }), /crit/],
  ['crit, empty', signedAs({ ...hs256, crit: [] }), /crit/],
  ['crit, null', signedAs({ ...hs256, crit: null }), /crit/],
  ['crit, spelled with an escape', signedAs('{"alg":"HS256","\\u0063rit":["b64"]}'), /crit/],
  ['b64 false', signedAs({ ...hs256, b64: false, crit: ['b64'] }), /crit/],
  ['header is an array', signedAs('["HS256"]'), /JSON object/],
  ['header is null', signedAs('null'), /JSON object/],
  ['header is no JSON', signedAs('{"alg":"HS256"'), /JSON object/],
  ['another secret', signed(goodClaims, hs256, createSecretKey(Buffer.alloc(32))), /signature/],
  ['an empty secret', signed(goodClaims, hs256, createSecretKey(Buffer.alloc(0))), /signature/],
  [
    'payload exchanged',
    `${head}.${signed({ ...goodClaims, sub: 'eve' }).split('.')[1]}.${signature}`,
    /signature/,
  ],
  // Claims
  ['payload is a word', signed('foo'), /malformed/],
  ['payload is an array', signed([goodClaims]), /audience/],
  ['payload is null', signed('null'), /malformed/],
  ['exp missing', withClaims({ exp: undefined }), /exp/],
  ['exp null', withClaims({ exp: null }), /exp/],
  ['exp a string', withClaims({ exp: String(seconds + 60) }), /exp/],
  ['exp NaN', withRaw('exp', 'NaN'), /malformed/],
  ['exp 1e400', withRaw('exp', '1e400'), /exp/],
  ['exp -1e400', withRaw('exp', '-1e400'), /expired/],
  ['exp negative', withClaims({ exp: -1 }), /expired/],
  ['exp zero', withClaims({ exp: 0 }), /expired/],
  ['exp an array', withClaims({ exp: [seconds + 60] }), /exp/],
  ['exp a boolean', withClaims({ exp: true }), /exp/],
  ['expired 60 s ago', withClaims({ exp: seconds - 60 }), /expired/],
  ['nbf in a minute', withClaims({ nbf: seconds + 61 }), /not valid yet/],
  ['nbf a string', withClaims({ nbf: String(seconds) }), /nbf/],
  ['nbf null', withClaims({ nbf: null }), /nbf/],
  ['nbf -1e400', withRaw('nbf', '-1e400'), /nbf/],
  ['iat a string', withClaims({ iat: 'now' }), /iat/],
  ['iat 1e400', withRaw('iat', '1e400'), /iat/],
  ['aud missing', withClaims({ aud: undefined }), /audience/],
  ['aud another', withClaims({ aud: 'reg-registry' }), /audience/],
  ['aud of others', withClaims({ aud: ['a', 'b'] }), /audience/],
  ['aud an array within', withClaims({ aud: [['reg']] }), /audience/],
  ['aud in capitals', withClaims({ aud: 'REG' }), /audience/],
  ['iss missing', withClaims({ iss: undefined }), /issuer/],
  ['iss another', withClaims({ iss: 'reg/' }), /issuer/],
  ['iss an array', withClaims({ iss: ['reg'] }), /issuer/],
])('refused: %s', async (_why, token, reason) => {
  const error = await Promise.resolve(verifier().verify(token)).catch((reject: unknown) => reject);
  expect(isRegError(error) && error.code).toBe('token_invalid');
  const { message, cause } = error as Error;
  expect(message).toMatch(reason);
  expect(cause).toBeUndefined();
  expect(message.length).toBeLessThan(100); // nothing of the token in it
});

/** The next letter of the alphabet: a 32-byte signature leaves the lowest two bits of its last one unused. */
function oneBitMore(letter: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet[alphabet.indexOf(letter) + 1] ?? '';
}

test.each<[why: string, header: object]>([
  ['no typ', { alg: 'HS256' }],
  ['typ of RFC 9068', { alg: 'HS256', typ: 'at+jwt' }],
  ['kid that is a path', { alg: 'HS256', kid: '../../dev/null' }],
  ['kid that is SQL', { alg: 'HS256', kid: "' UNION SELECT 'x" }],
  [
    'keys and addresses of keys',
    { alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' }, jku: 'http://127.0.0.1:1/' },
  ],
])('accepted by our secret alone, whatever the header offers: %s', async (_why, header) => {
  expect(await verifier().verify(signed(goodClaims, header))).toMatchObject({ subject: 'ann' });
  const forged = signed(goodClaims, header, createSecretKey(Buffer.alloc(32)));
  await expect(verifier().verify(forged)).rejects.toThrow('signature');
});

test('a public key, a short key and an unpinned audience are refused when the verifier is made', () => {
  expect(() => verifier({ secret: publicKey })).toThrow('not a public one');
  expect(() => verifier({ secret: pem })).toThrow('PEM');
  expect(() => verifier({ secret: createSecretKey(Buffer.from(pem)) })).toThrow('PEM');
  expect(() => verifier({ secret: createSecretKey(Buffer.alloc(31)) })).toThrow('32 bytes');
  expect(() => verifier({ audience: '' })).toThrow('must not be empty');
  expect(() => verifier({ issuer: '' })).toThrow('must not be empty');
});

test('a verified token is remembered: the second time it is the same principal, at once', async () => {
  const tokens = verifier();
  const principal = await tokens.verify(signed(goodClaims));
  expect(tokens.verify(signed(goodClaims))).toBe(principal);
  expect(Object.isFrozen(principal) && Object.isFrozen(principal.roles)).toBe(true);
});

test('a remembered token ends when it expires, with the same leeway as at first', async () => {
  let now = testTime;
  const tokens = createTokenVerifier({ secret, now: () => now });
  const token = withClaims({ exp: seconds + 10 });
  await tokens.verify(token);
  now = testTime + 15_000 - 1;
  expect(tokens.verify(token)).toMatchObject({ subject: 'ann' });
  expect(await createTokenVerifier({ secret, now: () => now }).verify(token)).toMatchObject({
    subject: 'ann',
  });
  now += 1;
  await expect(tokens.verify(token)).rejects.toThrow('expired');
  await expect(createTokenVerifier({ secret, now: () => now }).verify(token)).rejects.toThrow('expired');
  now += 60_000; // and it stays out
  await expect(tokens.verify(token)).rejects.toThrow('expired');
});

test('a refusal is not remembered: a token that comes too early passes when its time has come', async () => {
  let now = testTime;
  const tokens = createTokenVerifier({ secret, now: () => now });
  const token = withClaims({ nbf: seconds + 30 });
  await expect(tokens.verify(token)).rejects.toThrow('not valid yet');
  now += 30_000;
  expect(await tokens.verify(token)).toMatchObject({ subject: 'ann' });
});

test('what is remembered is bounded, and the oldest goes first', async () => {
  const tokens = verifier({ maxRemembered: 3 });
  const all = ['a', 'b', 'c', 'd'].map((sub) => withClaims({ sub }));
  for (const token of all) await tokens.verify(token);
  const remembered = all.map((token) => !(tokens.verify(token) instanceof Promise));
  expect(remembered).toEqual([false, true, true, true]);
});
