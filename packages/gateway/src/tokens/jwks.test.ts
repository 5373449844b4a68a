// Tokens by an issuer's published keys: which count, and what becomes of them while keys come and go.
import { createHmac, createPublicKey, type JsonWebKey } from 'node:crypto';
import { isRegError } from '@reg/schema/problem';
import { afterEach, expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { startGateway } from '../gateway.fixture.ts';
import { type Issuer, issuerKey, signedBy, startIssuer } from './issuer.fixture.ts';
import type { JwksOptions } from './jwks.ts';
import { goodClaims, secretText, testTime } from './signed.fixture.ts';
import { createTokenVerifier, type TokenVerifier } from './verifier.ts';

const rsa = issuerKey('rsa', 'RS256');
const first = issuerKey('first');
const second = issuerKey('second');
const open: TokenVerifier[] = [];
afterEach(() => {
  for (const verifier of open.splice(0)) verifier.close();
});

function verifierOf(issuer: Pick<Issuer, 'url'>, options: Partial<JwksOptions> = {}): TokenVerifier {
  const jwks = { url: issuer.url, refreshMs: 3_600_000, retryMs: 3_600_000, ...options };
  const verifier = createTokenVerifier({ jwks, audience: 'reg', issuer: 'reg', now: () => testTime });
  open.push(verifier);
  return verifier;
}

/** The subject, or the code and reason of the refusal. */
async function outcome(verifier: TokenVerifier, token: string): Promise<string> {
  try {
    return (await verifier.verify(token)).subject;
  } catch (error) {
    if (!isRegError(error)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

test('RS256 and ES256 tokens count by the key that they name, in a set of several', async () => {
  await using issuer = await startIssuer(rsa, first, second);
  const verifier = verifierOf(issuer);
  for (const key of [rsa, first, second]) expect(await outcome(verifier, signedBy(key))).toBe('ann');
  const foreign = signedBy(issuerKey('first'));
  expect(await outcome(verifier, foreign)).toBe('token_invalid: invalid signature');
  const claims = Buffer.from(JSON.stringify({ ...goodClaims, roles: ['admin'] })).toString('base64url');
  const [head, , signature] = signedBy(first).split('.');
  expect(await outcome(verifier, `${head}.${claims}.${signature}`)).toBe('token_invalid: invalid signature');
  expect(issuer.asked).toBe(1);
  expect(verifier.fault).toBe(undefined);
});

test('a token without kid counts where one key of its algorithm is there, and where two are, not', async () => {
  await using issuer = await startIssuer(rsa, first);
  const verifier = verifierOf(issuer);
  expect(await outcome(verifier, signedBy(first, {}))).toBe('ann');
  expect(await outcome(verifier, signedBy(rsa, {}))).toBe('ann');
  await using two = await startIssuer(first, second);
  expect(await outcome(verifierOf(two), signedBy(first, {}))).toBe(
    'token_invalid: more than one key of the issuer fits the token',
  );
  expect(await outcome(verifierOf(two), signedBy(rsa, {}))).toMatch('no key of the issuer fits');
});

test('two keys of one kid and algorithm are a doubt, so neither counts', async () => {
  await using issuer = await startIssuer(first);
  issuer.publish({ ...first.jwk }, { ...second.jwk, kid: 'first' }, rsa);
  const verifier = verifierOf(issuer);
  expect(await outcome(verifier, signedBy(first))).toMatch('more than one key');
  expect(await outcome(verifier, signedBy(rsa))).toBe('ann');
});

/** With the public key, which everybody has, as the secret of HS256. */
function confused(jwk: JsonWebKey, format: 'pem' | 'der' | 'jwk', kid: string): string {
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const der = key.export({ type: 'spki', format: 'der' });
  const texts = { pem: key.export({ type: 'spki', format: 'pem' }), der, jwk: JSON.stringify(jwk) };
  const header = { alg: 'HS256', typ: 'JWT', kid };
  const input = [header, goodClaims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${input}.${createHmac('sha256', texts[format]).update(input).digest('base64url')}`;
}

test('no token chooses how it is verified: HMAC by the public key, none, another kind of key, a key of its own', async () => {
  await using issuer = await startIssuer(rsa, first);
  const verifier = verifierOf(issuer);
  for (const { jwk, kid } of [rsa, first]) {
    for (const format of ['pem', 'der', 'jwk'] as const) {
      expect(await outcome(verifier, confused(jwk, format, kid)), `${kid} ${format}`).toMatch(
        'no key of the issuer',
      );
    }
  }
  const [, payload = ''] = signedBy(first).split('.');
  const none = Buffer.from('{"alg":"none","kid":"first"}').toString('base64url');
  expect(await outcome(verifier, `${none}.${payload}.AAAA`)).toMatch('no key of the issuer');
  expect(await outcome(verifier, signedBy(first, { kid: 'rsa' }))).toMatch('no key of the issuer');
  const own = issuerKey('own');
  const carried = { kid: 'first', jwk: own.jwk, jku: `${issuer.url}?own`, x5u: issuer.url };
  expect(await outcome(verifier, signedBy(own, carried))).toBe('token_invalid: invalid signature');
  for (const kid of ['../../dev/null', '', "' OR 1=1 --", 'constructor', '__proto__']) {
    expect(await outcome(verifier, signedBy(own, { kid })), kid).toMatch('no key of the issuer');
  }
  for (const kid of [null, 0, ['first'], { first: 1 }]) {
    expect(await outcome(verifier, signedBy(first, { kid })), JSON.stringify(kid)).toMatch(
      /kid is no text|malformed/,
    );
  }
  expect(issuer.asked).toBe(2); // at the start, and once for all the made-up kids
});

test('a new key counts from the first token that names it; unknown ones ask once in a while, however many come', async () => {
  let now = 0;
  await using issuer = await startIssuer(first);
  const verifier = verifierOf(issuer, { now: () => now });
  expect(await outcome(verifier, signedBy(first))).toBe('ann');
  issuer.publish(first, second);
  const many = await Promise.all(Array.from({ length: 20 }, () => outcome(verifier, signedBy(second))));
  expect(new Set(many)).toEqual(new Set(['ann']));
  expect(issuer.asked).toBe(2);

  const third = issuerKey('third');
  issuer.publish(third);
  now = 29_999;
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, at) => outcome(verifier, signedBy(third, { kid: `${at}` }))),
  );
  expect(new Set(made)).toEqual(new Set(['token_invalid: no key of the issuer fits the token']));
  expect(await outcome(verifier, signedBy(third))).toMatch('no key of the issuer');
  expect(issuer.asked).toBe(2);
  now = 30_000;
  expect(await outcome(verifier, signedBy(third))).toBe('ann');
  expect(issuer.asked).toBe(3);
});

test('when a key is withdrawn, tokens that it signed count no longer, though they were remembered', async () => {
  await using issuer = await startIssuer(first, second);
  const verifier = verifierOf(issuer, { refreshMs: 20 });
  const token = signedBy(first);
  expect(await outcome(verifier, token)).toBe('ann');
  expect(await outcome(verifier, token)).toBe('ann'); // the first was not kept: the set came meanwhile
  expect(verifier.verify(token)).not.toBeInstanceOf(Promise);
  issuer.publish(second);
  await eventually(
    () => outcome(verifier, token),
    (seen) => seen !== 'ann',
  );
  expect(await outcome(verifier, signedBy(second))).toBe('ann');
});

const broken: readonly (readonly [why: string, answer: Issuer['answer'], reason: RegExp])[] = [
  ['breaks off', undefined, /other side closed|socket hang up|ECONNRESET/],
  ['says 500', { status: 500, text: '{}' }, /it answered 500/],
  ['sends elsewhere', { status: 302, text: '' }, /redirect/],
  ['says no JSON', { text: '<html>' }, /no JWK set/],
  ['says other JSON', { text: '{"keys":{}}' }, /no JWK set/],
  ['says null', { text: 'null' }, /no JWK set/],
  ['has no keys', { text: '{"keys":[]}' }, /no key for RS256 or ES256/],
  ['says too much', { text: ' '.repeat(256 * 1024 + 1) }, /more than 262144 bytes/],
  [
    'has too many keys',
    { text: JSON.stringify({ keys: Array.from({ length: 101 }, () => first.jwk) }) },
    /more than 100/,
  ],
  [
    'publishes a secret',
    { text: JSON.stringify({ keys: [second.jwk, { kty: 'oct', k: 'AAAA' }] }) },
    /secret/,
  ],
  [
    'publishes its private key',
    { text: JSON.stringify({ keys: [second.privateKey.export({ format: 'jwk' })] }) },
    /private key/,
  ],
  ['says nothing', 'silence', /no answer in time/],
];

test.each(broken)(
  'an issuer that %s changes nothing: the old set counts, and log and health say so once',
  async (_why, answer, reason) => {
    const log: string[] = [];
    await using issuer = await startIssuer(first);
    const options = { refreshMs: 20, retryMs: 20, unknownKeyPauseMs: 20, timeoutMs: 200 };
    const verifier = verifierOf(issuer, { ...options, log: (line) => log.push(line) });
    expect(await outcome(verifier, signedBy(first))).toBe('ann');
    issuer.answer = answer;
    await eventually(
      () => verifier.fault ?? '',
      (fault) => reason.test(fault) && fault.endsWith('the old one counts on'),
    );
    const { asked } = issuer;
    await eventually(
      () => issuer.asked,
      (now) => now > asked + 1,
    );
    expect(await outcome(verifier, signedBy(first, { kid: 'first', typ: 'at+jwt' }))).toBe('ann');
    expect(await outcome(verifier, signedBy(second))).toMatch('no key of the issuer');
    issuer.publish(second);
    await eventually(
      () => outcome(verifier, signedBy(second)),
      (seen) => seen === 'ann',
    );
    expect(verifier.fault).toBe(undefined);
    expect(log).toHaveLength(3);
    expect(log.join()).not.toMatch(/<html>|"kty"/);
  },
);

async function problemOf(answer: Response): Promise<unknown> {
  return ((await answer.json()) as { readonly code: unknown }).code;
}

test('before the first set a request with a token gets 503, one without 401; then it is served', async () => {
  const log: string[] = [];
  await using issuer = await startIssuer();
  issuer.answer = { status: 503, text: '' };
  const verifier = verifierOf(issuer, { retryMs: 20, unknownKeyPauseMs: 20, log: (line) => log.push(line) });
  await using gateway = await startGateway({ tokens: verifier });
  gateway.catalog.add({ url: '/tickets', access: 'token' });
  await gateway.follows();
  const ask = (headers: Record<string, string>) => fetch(`${gateway.url}/tickets`, { headers });
  const answer = await ask({ Authorization: `Bearer ${signedBy(first)}` });
  expect(answer.headers.get('retry-after')).toBe('1');
  expect(await answer.json()).toMatchObject({ status: 503, code: 'keys_unavailable' });
  expect((await ask({})).status).toBe(401);
  expect(gateway.gateway.health().reasons.join()).toMatch(/it answered 503\): tokens cannot be checked/);
  expect(gateway.gateway.health()).toMatchObject({ ready: { ok: true }, stale: false });
  expect(gateway.errors).toEqual([]);
  issuer.publish({ ...first.jwk, exp: 0 });
  await eventually(
    async () => problemOf(await ask({ Authorization: `Bearer ${signedBy(first)}` })),
    (code) => code === 'no_instances', // the token is good
  );
  expect(log.at(-1)).toMatch('is loaded: 1 keys');
});

test('closed, it asks no more', async () => {
  await using issuer = await startIssuer(first);
  issuer.answer = 'silence';
  const log: string[] = [];
  const verifier = verifierOf(issuer, { log: (line) => log.push(line) });
  verifier.close();
  expect(await outcome(verifier, signedBy(first))).toMatch('keys_unavailable');
  expect(log).toEqual([]);
});

test.each([
  ['http://issuer.example/jwks.json', 'must be https, or http on loopback'],
  ['http://127.0.0.1.example/', 'must be https'],
  ['http://localhost.example/', 'must be https'],
  ['file:///etc/passwd', 'must be https'],
  ['https://user:word@issuer.example/', 'must not hold credentials'],
  ['issuer.example', 'must be a URL'],
])('the URL %s is refused at the start', (url, reason) => {
  expect(() => verifierOf({ url })).toThrow(reason);
});

test('an issuer signs for others too: audience and issuer must be said, and one of secret and jwks', () => {
  const jwks = { url: 'https://issuer.example/jwks.json' };
  expect(() => createTokenVerifier({ jwks, issuer: 'reg' })).toThrow('audience and issuer must be given');
  expect(() => createTokenVerifier({ jwks, audience: 'reg' })).toThrow('audience and issuer must be given');
  expect(() => createTokenVerifier({ jwks, audience: '', issuer: 'reg' })).toThrow('must not be empty');
  expect(() => createTokenVerifier({})).toThrow('either secret or jwks');
  const both = { jwks, secret: secretText, audience: 'reg', issuer: 'reg' };
  expect(() => createTokenVerifier(both)).toThrow('either secret or jwks');
});
