// The registrar itself ends, is killed, or has a twin: those it registered go on as if nothing was.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { startLoad } from '../support/load.ts';
import { policyFolder, startPlainApp, startRegistrar } from '../support/registrar.ts';
import { listed, startRegistry, startStack, token } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const policyOf = (ports: readonly number[]) => `
url: /plain
authorizedRoles: []
runs: { ports: [${ports.join(', ')}] }
checks: [{ type: http }]
checking: { intervalMs: 500, passes: 1 }
`;

/** All that changes in the registry from now on, as `reg watch` would print it. */
async function followKinds(registry: string) {
  const stopping = new AbortController();
  const kinds: string[] = [];
  const response = await fetch(`${registry}/v1/changes`, { signal: stopping.signal });
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      for (const [, kind] of decoder.decode(chunk).matchAll(/"kind":"([a-z-]+)"/g)) kinds.push(kind ?? '');
    }
  })().catch(() => undefined);
  return {
    kinds,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await reading;
    },
  };
}

test('killed and started again, twice, under load: nothing flaps, no request fails, the runs go on', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(join(folder.path, 'data'));
  const policies = await policyFolder(folder.path);
  const ports = [await freePort(), await freePort()];
  await policies.write('plain.yaml', policyOf(ports));
  await using _one = await startPlainApp(ports[0] ?? 0);
  await using _other = await startPlainApp(ports[1] ?? 0);
  const all = () => listed(stack.registry, 'plain');
  const start = () => startRegistrar(stack.registry, policies.path, { args: ['--lease', '5s'] });
  let registrar = await start();
  const before = await eventually(all, (now) => now.length === 2, { withinMs: 30_000 });
  await eventually(async () => {
    const response = await fetch(`${stack.registry}/v1/services/plain`);
    return ((await response.json()) as { policy?: object }).policy !== undefined;
  });

  const authorization = `Bearer ${await token({ roles: [] })}`;
  await using seen = await followKinds(stack.registry);
  const load = startLoad(`${stack.gateway}/plain`, { authorization, perSecond: 50 });
  for (const _ of [1, 2]) {
    const leasesBefore = new Map(
      (await all()).map(({ instanceId, leaseUntil }) => [instanceId, leaseUntil ?? 0]),
    );
    registrar.process.kill('SIGKILL');
    await registrar.process.ended;
    registrar = await start();
    // It goes on with them: their leases are renewed past where they would have ended.
    await eventually(
      all,
      (now) =>
        now.length === 2 &&
        now.every((one) => (one.leaseUntil ?? 0) > (leasesBefore.get(one.instanceId) ?? 0) + 1_000),
      { withinMs: 20_000 },
    );
    const answered = load.answered();
    await eventually(() => load.answered() > answered + 50);
  }
  const { failures } = await load.stop();
  await registrar[Symbol.asyncDispose]();
  expect(failures).toEqual([]);
  expect(seen.kinds).toEqual([]);
  const runs = (instances: Awaited<ReturnType<typeof all>>) =>
    instances.map(({ runId, generation }) => [runId, generation]);
  expect(runs(await all())).toEqual(runs(before));
});

test('of two registrars one registers each; when it dies, the other takes over', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(join(folder.path, 'data'));
  const policies = await policyFolder(folder.path);
  const port = await freePort();
  await policies.write('plain.yaml', policyOf([port]));
  await using _app = await startPlainApp(port);
  const all = () => listed(stack.registry, 'plain');
  const names = ['first', 'second'] as const;
  const args = ['--lease', '3s'];
  await using first = await startRegistrar(stack.registry, policies.path, { name: 'first', args });
  await using second = await startRegistrar(stack.registry, policies.path, { name: 'second', args });
  const registrars = { first, second };
  const [one] = await eventually(all, (now) => now.length === 1 && now[0]?.state === 'up', {
    withinMs: 30_000,
  });
  const holder = names.find((name) => one?.owner === `registrar:${name}`) ?? 'first';
  const heir = holder === 'first' ? 'second' : 'first';

  registrars[holder].process.kill('SIGKILL');
  await eventually(all, ([now]) => now?.owner === `registrar:${heir}`, { withinMs: 30_000 });
});

test('a registry that was restarted, and forgot all, lists them again with what they held', async () => {
  await using folder = await temporaryFolder();
  const policies = await policyFolder(folder.path);
  const port = await freePort();
  await policies.write('plain.yaml', policyOf([port]));
  await using _app = await startPlainApp(port);
  const registryPort = await freePort();
  const url = `http://127.0.0.1:${registryPort}`;
  const all = () => listed(url, 'plain').catch(() => []);
  await using _registrar = await startRegistrar(url, policies.path); // it is away at first
  const start = () => startRegistry(join(folder.path, 'data'), registryPort);
  let registry = await start();
  const [before] = await eventually(all, (now) => now.length === 1, { withinMs: 30_000 });
  registry.process.kill('SIGKILL');
  await registry.process.ended;
  registry = await start();
  const [after] = await eventually(all, (now) => now.length === 1, { withinMs: 30_000 });
  expect(after).toMatchObject({ runId: before?.runId, generation: before?.generation });
  await registry[Symbol.asyncDispose]();
});
