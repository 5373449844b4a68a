import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registration as RegistrationDocument } from '@reg/schema';
import { expect, expectTypeOf, onTestFinished, test, vi } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startRegistry } from '../testing/registry.ts';
import { register, registerIfAsked, unregister } from './register.ts';
import type { RegisterOptions, Registration } from './registration.ts';

/** Each test its own service, so that an address is never one of another test's. */
let services = 0;

/** @returns options whose log is kept in `lines`, which is no option and is not spread */
function options(registry: { url: string }, more: Partial<RegisterOptions> = {}) {
  services += 1;
  const lines: string[] = [];
  const given: RegisterOptions = {
    registry: registry.url,
    name: `service ${services}`,
    url: `/service-${services}`,
    endpoints: [{ type: 'http', url: `http://127.0.0.1:9/service-${services}` }],
    authorizedRoles: ['reader'],
    lease: { ttlMs: 1_500 },
    log: (line) => void lines.push(line),
    ...more,
  };
  return Object.defineProperty(given, 'lines', { value: lines }) as RegisterOptions & {
    readonly lines: string[];
  };
}

/** The registration, ended with the test. */
async function registered(given: RegisterOptions): Promise<Registration> {
  const registration = await register(given);
  onTestFinished(() => registration.unregister().catch(() => undefined));
  return registration;
}

test('an instance tells that it has much to do, and no more', async () => {
  await using registry = await startRegistry();
  const given = options(registry);
  const registration = await registered(given);
  const told = async () => {
    const reply = await fetch(`${registry.url}/v1/services/${encodeURIComponent(given.name)}`);
    return ((await reply.json()) as { load?: { told?: object } }).load?.told;
  };
  await registration.reportLoad({ level: 'high', forMs: 60_000 });
  expect(await told()).toEqual({ level: 'high', until: expect.any(Number), by: registration.instanceId });
  await registration.reportLoad({ level: 'normal' });
  expect(await told()).toBeUndefined();
  await expect(registration.reportLoad({ level: 'high', forMs: 1 })).rejects.toMatchObject({
    code: 'invalid_request',
  });
});

test('registers, updates and unregisters', async () => {
  await using registry = await startRegistry();
  const given = options(registry, { version: '1', tags: ['blue'] });
  const registration = await registered(given);
  const listed = () => registry.listed(given.name);
  expect(await listed()).toEqual([
    expect.objectContaining({
      instanceId: '127.0.0.1-9',
      runId: registration.runId,
      generation: registration.generation,
      version: '1',
      tags: ['blue'],
      lease: { ttlMs: 1_500 },
    }),
  ]);

  await registration.update({ version: '2', tags: undefined });
  const [updated] = await listed();
  expect(updated).toMatchObject({ version: '2', generation: registration.generation });
  expect(updated).not.toHaveProperty('tags');
  expect(registration.state).toBe('registered');

  await registration.unregister();
  expect(await listed()).toEqual([]);
  expect(registration.state).toBe('unregistered');
  await registration.unregister();
  await expect(registration.update({ version: '3' })).rejects.toMatchObject({ code: 'instance_not_found' });
  expect(given.lines).toEqual([]);
});

test('the lease is renewed', async () => {
  await using registry = await startRegistry();
  const given = options(registry);
  const { generation } = await registered(given);
  const [first] = await registry.listed(given.name);
  const later = await eventually(
    () => registry.listed(given.name),
    ([now]) => Number(now?.leaseUntil) > Number(first?.leaseUntil) + 1_500,
  );
  expect(later).toEqual([{ ...first, generation, leaseUntil: expect.any(Number), load: expect.any(Object) }]);
});

const taken = { url: '/held', authorizedRoles: [], lease: 'none', runId: 'holder' };

test.each<[string, Record<string, unknown>]>([
  ['invalid_request', { url: 'no-path' }],
  ['invalid_request', { endpoints: [] }],
  ['invalid_request', { endpoints: [{ type: 'http', url: 'nonsense' }] }],
  ['invalid_request', { name: '' }],
  ['invalid_request', { name: '..' }],
  ['invalid_request', { name: 'lone \ud800 surrogate' }],
  ['invalid_request', { instanceId: '.' }],
  ['invalid_request', { instanceId: 'no spaces' }],
  ['invalid_request', { lease: { ttlMs: 5 } }],
  ['invalid_request', { lease: 'never' }],
  ['invalid_request', { instanceId: 7 }],
  ['invalid_request', { authorisedRoles: ['typo'] }],
  ['invalid_request', { registry: 'nonsense' }],
  ['invalid_request', { waitFor: 'everybody' }],
  ['invalid_request', { stallMs: 0 }],
  ['invalid_request', { drainMs: '5s' }], // counted as none: leaving cut off what was in flight
  ['invalid_request', { server: Object.assign(() => undefined, { on: () => undefined }) }], // an Express app
  ['invalid_request', { server: {} }],
  ['registration_conflict', { name: 'held', url: '/other' }],
  ['path_taken', { url: '/held' }],
  ['path_reserved', { url: '/_reg/x' }],
  ['slug_taken', { name: 'Held' }],
])('refused for good: %s, rejected at once and nothing listed: %j', async (code, wrong) => {
  await using registry = await startRegistry();
  const holder = { ...taken, endpoints: [{ type: 'http', url: 'http://127.0.0.1:10/held' }] };
  expect(await registry.put('held', 'holder', holder)).toMatchObject({ status: 201 });
  const given = options(registry, wrong);
  await expect(register(given)).rejects.toMatchObject({ code });
  expect((await registry.listed('held')).map(({ instanceId }) => instanceId)).toEqual(['holder']);
  expect(await registry.listed(`service ${services}`)).toEqual([]);
});

// A TypeError from the inside named none of it, and an `onRefused` that is none ended the process as 'exit' does.
test.each<[string, unknown]>([
  ['options: must be an object', undefined],
  ['options: must be an object', null],
  ['registry: must be text, like http://127.0.0.1:3100', { registry: 3100 }],
  ["onRefused: must be 'run' or 'exit'", { onRefused: 'throw' }],
])('%s', async (message, wrong) => {
  const given = wrong && { ...options({ url: 'http://127.0.0.1:9' }), ...wrong };
  await expect(register(given as RegisterOptions)).rejects.toMatchObject({
    code: 'invalid_request',
    message,
    errors: [{ field: message.split(':')[0], message: message.replace(/^\w+: /, '') }],
  });
});

test('a field at fault is named', async () => {
  await using registry = await startRegistry();
  const wrong = options(registry, { endpoints: [{ type: 'http', url: 'http://127.0.0.1:9/x?y' }] });
  await expect(register(wrong)).rejects.toMatchObject({
    code: 'invalid_request',
    errors: [{ field: 'endpoints.0.url', message: expect.stringContaining('query') }],
  });
});

test('an address that another instance holds is asked for until its lease ends', async () => {
  await using registry = await startRegistry();
  const given = options(registry);
  const { name, url, endpoints, authorizedRoles } = given;
  const holder = { url, endpoints, authorizedRoles, lease: { ttlMs: 1_000 } };
  expect(await registry.put(name, 'holder', holder)).toMatchObject({ status: 201 });
  await registered(given);
  expect((await registry.listed(name)).map(({ instanceId }) => instanceId)).toEqual(['127.0.0.1-9']);
  expect(given.lines).toEqual([expect.stringContaining('holder'), expect.stringMatching(/: registered$/)]);
});

test('registry down at start: registered when it comes, and said once', async () => {
  await using registry = await startRegistry();
  await registry.stop();
  const given = options(registry);
  const pending = registered(given);
  await eventually(() => given.lines.length > 0);
  expect(await Promise.race([pending, 'pending'])).toBe('pending');
  await registry.start();
  expect((await pending).state).toBe('registered');
  expect(given.lines).toEqual([
    expect.stringContaining('ECONNREFUSED'),
    expect.stringMatching(/: registered$/),
  ]);
});

test('something else listens where the registry should be: asked again', async () => {
  await using registry = await startRegistry();
  await registry.stop();
  const { port } = new URL(registry.url);
  const other = createServer((_, response) => response.writeHead(404).end('<h1>Not here</h1>'));
  await new Promise<void>((resolve) => other.listen(Number(port), '127.0.0.1', resolve));
  const given = options(registry);
  const pending = registered(given);
  await eventually(() => given.lines.some((line) => line.includes('answered 404')));
  other.closeAllConnections();
  await new Promise((resolve) => other.close(resolve));
  await registry.start();
  expect((await pending).state).toBe('registered');
});

test.each([
  ['with a lease', { ttlMs: 1_500 }],
  ['without a lease', 'none' as const],
])('registry restarted with nothing remembered: registered again by itself, %s', async (_, lease) => {
  await using registry = await startRegistry();
  const given = options(registry, { lease });
  const registration = await registered(given);
  const { generation, runId } = registration;
  await registry.stop();
  await registry.start();
  expect(await registry.listed(given.name)).toEqual([]);
  const [again] = await eventually(
    () => registry.listed(given.name),
    (all) => all.length === 1,
  );
  expect(again).toMatchObject({ generation, runId });
});

test('the registry is away for longer than the lease: lost, then registered again', async () => {
  await using registry = await startRegistry();
  const given = options(registry, { lease: { ttlMs: 1_000 } });
  const registration = await registered(given);
  await registry.stop();
  await eventually(() => registration.state === 'lost');
  await registry.start();
  await eventually(() => registration.state === 'registered');
  expect(await registry.listed(given.name)).toHaveLength(1);
  expect(given.lines).toEqual([
    expect.stringContaining('ECONNREFUSED'),
    expect.stringMatching(/: registered$/),
  ]);
});

test('the registry forgot the instance: registered again', async () => {
  await using registry = await startRegistry();
  const given = options(registry);
  const { instanceId } = await registered(given);
  await registry.forget(given.name, instanceId);
  expect(await registry.listed(given.name)).toEqual([]);
  await eventually(
    () => registry.listed(given.name),
    (all) => all.length === 1,
  );
});

test('the first registry of the list is frozen: the next one is asked', async () => {
  await using frozen = await startRegistry();
  await using registry = await startRegistry();
  await frozen.freeze();
  const given = options({ url: `${frozen.url},${registry.url}` });
  await registered(given);
  expect(await registry.listed(given.name)).toHaveLength(1);
  expect(given.lines).toEqual([]);
});

test('the registry freezes, and comes back: registered again', async () => {
  await using registry = await startRegistry();
  const given = options(registry);
  const registration = await registered(given);
  await registry.freeze();
  await eventually(() => registration.state === 'lost');
  await registry.start();
  await eventually(() => registration.state === 'registered');
  expect(await registry.listed(given.name)).toHaveLength(1);
});

test('superseded: stops, says so once and leaves its successor alone', async () => {
  await using registry = await startRegistry();
  const given = options(registry);
  const registration = await registered(given);
  const { name, url, endpoints, authorizedRoles } = given;
  const successor = { url, endpoints, authorizedRoles, runId: 'successor', lease: 'none' };
  expect(await registry.put(name, registration.instanceId, successor)).toMatchObject({ status: 200 });
  await eventually(() => registration.state === 'refused');
  expect(registration.refusal).toBe('generation_superseded');
  await registration.unregister();
  await expect(registration.update({})).rejects.toThrow();
  expect((await registry.listed(name)).map(({ runId }) => runId)).toEqual(['successor']);
  expect(given.lines).toEqual([expect.stringContaining('generation_superseded')]);
});

test('a change of what instances share is refused, and said out loud it is taken, once', async () => {
  await using registry = await startRegistry();
  const given = options(registry);
  const registration = await registered(given);
  const { name, url, endpoints: _ } = given;
  const beside = {
    url,
    endpoints: [{ type: 'http', url: 'http://127.0.0.1:10/' }],
    authorizedRoles: ['reader'],
  };
  expect(await registry.put(name, 'beside', { ...beside, lease: 'none' })).toMatchObject({ status: 201 });

  const update = { authorizedRoles: ['writer'] };
  await expect(registration.update(update)).rejects.toMatchObject({ code: 'registration_conflict' });
  await registration.update({ ...update, redefine: true });
  await registration.update({ version: '2' });
  const redefined = { ...beside, authorizedRoles: ['admin'], lease: 'none', redefine: true };
  expect(await registry.put(name, 'beside', redefined)).toMatchObject({ status: 200 });
  await expect(registration.update({ version: '3' })).rejects.toMatchObject({
    code: 'registration_conflict',
  });
});

test('unregistered while no registry answers yet: register() rejects', async () => {
  await using registry = await startRegistry();
  await registry.stop();
  const given = options(registry);
  const pending = register(given);
  await Promise.all([
    expect(pending).rejects.toMatchObject({ code: 'instance_not_found' }),
    eventually(() => given.lines.length > 0).then(() => unregister().catch(() => undefined)),
  ]);
});

test('unregistering where no registry answers is told, and nothing is renewed any more', async () => {
  await using registry = await startRegistry();
  const registration = await registered(options(registry));
  await registry.stop();
  await expect(registration.unregister()).rejects.toMatchObject({
    code: 'registry_unavailable',
    retryable: true,
  });
  expect(registration.state).toBe('unregistered');
});

test('unregister() ends every registration of the process', async () => {
  await using registry = await startRegistry();
  const [one, two] = [options(registry), options(registry, { instanceId: 'b' })];
  two.endpoints = [{ type: 'http', url: 'http://127.0.0.1:11' }];
  await Promise.all([registered(one), registered(two)]);
  await unregister();
  expect([...(await registry.listed(one.name)), ...(await registry.listed(two.name))]).toEqual([]);
});

test('leaving waits for the requests in flight, and for no more than drainMs', async () => {
  await using registry = await startRegistry();
  const held: (() => void)[] = [];
  const server = createServer((_, response) => void held.push(() => response.end('done')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const given = options(registry, { server, drainMs: 60_000, endpoints: [{ type: 'http', url }] });
  const registration = await registered(given);
  const answer = fetch(url).then((response) => response.text());
  await eventually(() => held.length === 1);
  const left = registration.unregister({ drain: true });
  await eventually(
    () => registry.listed(given.name),
    ([one]) => one?.state === 'draining',
  );
  expect(registration.state).toBe('leaving');
  held[0]?.();
  expect(await answer).toBe('done');
  await left;
  expect(await registry.listed(given.name)).toEqual([]);

  const impatient = options(registry, { server, drainMs: 0, endpoints: [{ type: 'http', url }] });
  const second = await registered(impatient);
  const aborted = fetch(url).then((response) => response.text());
  await eventually(() => held.length === 2);
  await second.unregister({ drain: true });
  expect(impatient.lines).toEqual([expect.stringContaining('1 requests still in flight')]);
  held[1]?.();
  await aborted;
});

test.each([
  [undefined, false],
  ['', false],
  ['1', true],
  ['0', true],
  ['http', false],
])('SELF_REGISTRY=%s: registerIfAsked registers: %s', async (value, asked) => {
  await using registry = await startRegistry();
  vi.stubEnv('SELF_REGISTRY', value === 'http' ? registry.url : value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { registry: named, ...given } = options(registry);
  const registration = await registerIfAsked(value === 'http' ? given : { ...given, registry: named });
  expect(await registry.listed(given.name)).toHaveLength(value === 'http' || asked ? 1 : 0);
  await registration?.unregister();
});

test("the argument is the schema's registration, less what is granted", () => {
  type Said = Omit<RegistrationDocument, 'generation'>;
  expectTypeOf<Pick<RegisterOptions, keyof Said>>().toEqualTypeOf<Said>();
});
