// The client with a registry that asks for a token.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { operatorToken, signed } from '../../../tests/support/registry-token.ts';
import { startRegistry } from '../testing/registry.ts';
import { createCatalog } from './catalog.ts';
import { discover } from './discover.ts';
import { register } from './register.ts';
import { createBearer, type TokenSource } from './token.ts';
import { watch } from './watch.ts';

const script = fileURLToPath(new URL('../testing/ends.mjs', import.meta.url));

function options(registry: { url: string }, token: TokenSource | undefined, lines: string[] = []) {
  return {
    registry: registry.url,
    token,
    name: 'tickets',
    url: '/tickets',
    endpoints: [{ type: 'http' as const, url: 'http://127.0.0.1:9/tickets' }],
    authorizedRoles: [],
    lease: { ttlMs: 1_000 },
    log: (line: string) => void lines.push(line),
  };
}

const own = (claims: object = {}) => signed({ services: ['tickets'], ...claims });

test('registered, renewed, drained and unregistered with a token of its own', async () => {
  await using registry = await startRegistry({ token: operatorToken });
  const registration = await register(options(registry, own({ jti: 'one' })));
  const [first] = await registry.listed('tickets');
  expect(first).toMatchObject({ registrant: 'jti:one' });
  await eventually(
    () => registry.listed('tickets'),
    ([now]) => (now?.leaseUntil ?? 0) > (first?.leaseUntil ?? 0) + 1_000,
  );
  await registration.update({ version: '2' });
  await registration.unregister({ drain: true });
  expect(await registry.listed('tickets')).toEqual([]);
});

test('discover, watch and the catalog of a gateway send it too', async () => {
  await using registry = await startRegistry({ token: operatorToken });
  const { put } = registry;
  await put('tickets', 'one', {
    ...options(registry, undefined),
    log: undefined,
    registry: undefined,
    lease: 'none',
  });
  const token = signed();
  const found = await discover('tickets', { registry: registry.url, token });
  expect(found.instances).toHaveLength(1);
  found.close();
  for await (const item of watch({ registry: registry.url, token })) {
    expect(item).toMatchObject({ services: [{ name: 'tickets' }] });
    break;
  }
  const catalog = createCatalog({ registry: registry.url, token, gateway: 'g' });
  const { epoch, revision } = await catalog.snapshot(new AbortController().signal);
  await catalog.applied({ epoch, revision });
});

test.each<[why: string, token: TokenSource | undefined, code: string]>([
  ['no token', undefined, 'token_missing'],
  ['another secret', 'x'.repeat(40), 'token_invalid'],
  ['an expired token', own({ exp: 1 }), 'token_invalid'],
  ['a token for another service', signed({ services: ['others'] }), 'not_permitted'],
  ['a function without a token', () => '', 'token_missing'],
  ['a function that fails', () => Promise.reject(new Error('vault is sealed')), 'token_missing'],
  ['a token with a line break inside', 'a\nb', 'token_invalid'],
])('refused at the start, once, by its code: %s', async (_, token, code) => {
  await using registry = await startRegistry({ token: operatorToken });
  const lines: string[] = [];
  await expect((async () => register(options(registry, token, lines)))()).rejects.toMatchObject({ code });
  expect(lines).toEqual([]);
  if (token === undefined || code === 'not_permitted') return;
  await expect(
    discover('tickets', { registry: registry.url, token }).then(() => 'found'),
  ).rejects.toMatchObject({ code });
});

test('two views of one registry with different tokens do not share the refusal of one', async () => {
  await using registry = await startRegistry({ token: operatorToken });
  const views = ['x'.repeat(40), signed()].map((token) =>
    discover('tickets', { registry: registry.url, token }),
  );
  const [bad, good] = await Promise.allSettled(views);
  expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'token_invalid' } });
  expect(good).toMatchObject({ status: 'fulfilled' });
  for (const view of [bad, good]) if (view?.status === 'fulfilled') view.value.close();
});

// Story: tokens expire. A deploy that writes a fresh one to a file must not restart every service for it.
test('a token that is replaced while the service runs goes on keeping its lease', async () => {
  const revoked = new Set<string>();
  await using registry = await startRegistry({ token: operatorToken, isRevoked: (id) => revoked.has(id) });
  let current = own({ jti: 'first', sub: 'deploy' });
  const lines: string[] = [];
  const registration = await register(options(registry, async () => `${current}\n`, lines));
  onTestFinished(() => registration.unregister().catch(() => undefined));
  const leaseUntil = async () => (await registry.listed('tickets'))[0]?.leaseUntil ?? 0;
  const { generation } = registration;

  revoked.add('first');
  current = own({ jti: 'second', sub: 'deploy' });
  const before = await leaseUntil();
  await eventually(leaseUntil, (until) => until > before + 1_000);
  expect(registration.generation).toBe(generation);

  revoked.add('second'); // and the next one is late: the lease ends, and it comes back
  await eventually(
    () => registry.listed('tickets'),
    (all) => all.length === 0,
  );
  await eventually(
    () => registration.state,
    (state) => state === 'lost',
  );
  current = own({ jti: 'third', sub: 'deploy' });
  await eventually(
    () => registry.listed('tickets'),
    (all) => all.length === 1,
  );
  expect(lines.join()).toContain('the token was revoked; trying again');
  expect(lines.join()).not.toContain(current);
});

test('a token that stays revoked ends the registration when its lease has ended, with the reason', async () => {
  const revoked = new Set<string>();
  await using registry = await startRegistry({ token: operatorToken, isRevoked: (id) => revoked.has(id) });
  const lines: string[] = [];
  const registration = await register(options(registry, own({ jti: 'leaked' }), lines));
  revoked.add('leaked');
  await eventually(
    () => registration.state,
    (state) => state === 'refused',
  );
  expect(registration.refusal).toBe('token_invalid');
  expect(lines.at(-1)).toContain('not listed any more: token_invalid: the token was revoked');
});

test('an instance of another token is waited for until its lease ends', async () => {
  await using registry = await startRegistry({ token: operatorToken });
  const crashed = { ...options(registry, undefined), log: undefined, registry: undefined, token: undefined };
  await registry.put('tickets', '127.0.0.1-9', { ...crashed, runId: 'crashed' });
  const lines: string[] = [];
  const registration = await register(options(registry, own({ jti: 'next' }), lines));
  expect(lines[0]).toContain('was registered with another token; trying again');
  expect((await registry.listed('tickets'))[0]).toMatchObject({ registrant: 'jti:next' });
  await registration.unregister();
});

test.each(['exit', 'throw'])('the last word of a process that ends by %s carries it', async (how) => {
  await using registry = await startRegistry({ token: operatorToken });
  const child = spawn(process.execPath, [script, how], {
    env: { SELF_REGISTRY: registry.url, REG_REGISTRY_TOKEN: signed({ services: ['ends'] }) },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const ended = once(child, 'close');
  await eventually(
    () => registry.listed('ends'),
    (all) => all.length === 1,
  );
  child.kill('SIGUSR2');
  await ended;
  expect(await registry.listed('ends')).toEqual([]);
});

test('the option goes before the environment; an empty one is none; letters beyond ASCII go as UTF-8', async () => {
  const environment = { REG_REGISTRY_TOKEN: 'from the environment' };
  expect(await createBearer(undefined, environment).headers(1)).toEqual({
    authorization: 'Bearer from the environment',
  });
  expect(await createBearer('given', environment).headers(1)).toEqual({ authorization: 'Bearer given' });
  expect(await createBearer(undefined, { REG_REGISTRY_TOKEN: '' }).headers(1)).toEqual({});
  expect(createBearer('Schlüssel', {}).lastHeaders()).toEqual({ authorization: 'Bearer SchlÃ¼ssel' });
});

test('a function that hangs is waited for as long as the request might take', async () => {
  const bearer = createBearer(() => new Promise<string>(() => undefined), {});
  await expect(bearer.headers(20)).rejects.toMatchObject({ code: 'token_missing' });
});
