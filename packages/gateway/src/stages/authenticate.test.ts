import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from 'vitest';
import { goodClaims, secret, signed, testTime } from '../tokens/signed.fixture.ts';
import { createTokenVerifier } from '../tokens/verifier.ts';
import { authenticate } from './authenticate.ts';
import { isRefusal } from './refusal.ts';

const token = signed(goodClaims);
const expired = signed({ ...goodClaims, exp: 1 });
const verifier = () => createTokenVerifier({ secret, now: () => testTime });
const bearing = (...credentials: string[]) => credentials.flatMap((value) => ['Authorization', value]);

test.each<[why: string, headers: string[]]>([
  ['as usual', bearing(`Bearer ${token}`)],
  ['scheme in capitals', bearing(`BEARER ${token}`)],
  ['scheme in small letters', bearing(`bearer ${token}`)],
  ['more spaces than one', bearing(`Bearer   ${token}`)],
  ['field name in any case', ['aUTHORIZATION', `Bearer ${token}`]],
])('a good token is a principal: %s', async (_why, headers) => {
  expect(await authenticate(headers, 'token', verifier())).toMatchObject({ subject: 'ann' });
});

const missing = 'Bearer realm="reg"';
const malformed = /^Bearer realm="reg", error="invalid_request", error_description="[^"]+"$/;
const refused = /^Bearer realm="reg", error="invalid_token", error_description="[^"]+"$/;

test.each<[why: string, headers: string[], code: string, challenge: string | RegExp]>([
  ['no header', [], 'token_missing', missing],
  ['an empty header', bearing(''), 'token_missing', missing],
  ['Basic', bearing('Basic YTpi'), 'token_missing', missing],
  ['Basic that holds a good token', bearing(`Basic ${token}`), 'token_missing', missing],
  ['the token without a scheme', bearing(token), 'token_missing', missing],
  ['a scheme that begins with ours', bearing(`Bearers ${token}`), 'token_missing', missing],
  ['a tab after the scheme', bearing(`Bearer\t${token}`), 'token_missing', missing],
  ['a token elsewhere', ['X-Authorization', `Bearer ${token}`, 'Cookie', token], 'token_missing', missing],
  ['only the scheme', bearing('Bearer'), 'token_invalid', malformed],
  ['the scheme and spaces', bearing('Bearer  '), 'token_invalid', malformed],
  ['two headers, both good', bearing(`Bearer ${token}`, `Bearer ${token}`), 'token_invalid', malformed],
  ['two headers, one good', bearing(`Bearer ${token}`, 'Basic YTpi'), 'token_invalid', malformed],
  [
    'two headers, one empty',
    ['authorization', `Bearer ${token}`, 'AUTHORIZATION', ''],
    'token_invalid',
    malformed,
  ],
  ['two tokens in one', bearing(`Bearer ${token}, Bearer ${token}`), 'token_invalid', refused],
  ['a parameter after the token', bearing(`Bearer ${token}; a=1`), 'token_invalid', refused],
  ['a quoted token', bearing(`Bearer "${token}"`), 'token_invalid', refused],
  ['letters beyond ASCII', bearing(`Bearer ${token}é`), 'token_invalid', refused],
  ['an expired one', bearing(`Bearer ${expired}`), 'token_invalid', refused],
  ['64 KiB of letters', bearing(`Bearer ${'a'.repeat(65_537)}`), 'token_invalid', refused],
])('refused with a challenge that repeats nothing: %s', async (_why, headers, code, challenge) => {
  const outcome = await authenticate(headers, 'token', verifier());
  if (!isRefusal(outcome)) throw new Error('let in');
  expect(outcome.code).toBe(code);
  const [name, value] = outcome.headers ?? [];
  expect(name).toBe('WWW-Authenticate');
  if (typeof challenge === 'string') expect(value).toBe(challenge);
  else expect(value).toMatch(challenge);
  const said = JSON.stringify(outcome);
  for (const part of token.split('.')) expect(said).not.toContain(part);
  expect(said.length).toBeLessThan(400);
});

test('a public route looks at no token, not even at a bad one', () => {
  expect(authenticate(bearing('Bearer x', 'Bearer y'), 'public', verifier())).toBeUndefined();
});

test('the second time a token is known at once, without a promise', async () => {
  const tokens = verifier();
  const first = await authenticate(bearing(`Bearer ${token}`), 'token', tokens);
  expect(authenticate(bearing(`bearer  ${token}`), 'token', tokens)).toBe(first);
});

test.each(['at once', 'later'])(
  'a verifier that fails %s of itself lets nobody in and is not the token’s fault',
  async (when) => {
    const fault = new Error('keys not loaded');
    const verify = () => {
      if (when === 'at once') throw fault;
      return Promise.reject(fault);
    };
    await expect(async () => authenticate(bearing(`Bearer ${token}`), 'token', { verify })).rejects.toBe(
      fault,
    );
  },
);

// Story: node's `headers` shows the first of two Authorization fields and hides the second, so a check of
// it and an upstream that reads the last one would disagree on who asks. `rawHeaders` shows both.
test('two Authorization fields on a real connection are both seen, and refused', async () => {
  const outcomes: unknown[] = [];
  const server = createServer(async (request, response) => {
    outcomes.push(await authenticate(request.rawHeaders, 'token', verifier()));
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const fields = `Authorization: Bearer ${token}\r\nauthorization: Bearer ${expired}\r\n`;
  socket.end(`GET / HTTP/1.1\r\nHost: a\r\n${fields}Connection: close\r\n\r\n`);
  await once(socket.resume(), 'close');
  server.close();
  await once(server, 'close');
  expect(outcomes).toMatchObject([{ code: 'token_invalid', detail: 'more than one Authorization header' }]);
});
