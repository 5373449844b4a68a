// The registry behind the gateway: whoever reaches nothing but the gateway's port registers and finds by it.
import type { ListedService } from '@reg/schema';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type StartedProcess, startProcess } from '../support/process.ts';
import { run } from '../support/run.ts';
import { reg, root, startGateway, startRegistry, startStack, startTickets, token } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const registryToken = 'operators-token-of-the-tests-of-32-bytes-and-more';
const authorization = `Bearer ${registryToken}`;
const credentials = { REG_REGISTRY_TOKEN: registryToken };
const withPath = { ...credentials, REG_REGISTRY_PATH: '/registry' };

async function listed(registry: string, service = 'tickets'): Promise<ListedService['instances']> {
  const response = await fetch(`${registry}/v1/services/${service}`, { headers: { authorization } });
  if (response.status === 404) return [];
  return ((await response.json()) as ListedService).instances;
}

/** A command of `reg`, to its end. */
async function regRun(registry: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...credentials, REG_REGISTRY: registry };
  return (await run([process.execPath, reg, ...args], { env })).stdout;
}

const startWatch = (registry: string): Promise<StartedProcess> =>
  startProcess('node', [reg, 'watch'], { env: { ...credentials, REG_REGISTRY: registry } });

test('one process: a service and every command of reg by the path of the gateway', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(folder.path, withPath);
  const registry = `${stack.gateway}/registry`;
  await using watching = await startWatch(registry);
  await watching.printed(/watching/);
  await using tickets = await startTickets(registry, 0, credentials);
  await watching.printed(/instance-registered {2}tickets/);
  await using script = await startProcess('node', [`${root}tests/support/discovers.mjs`, 'tickets'], {
    env: { ...credentials, REG_REGISTRY: registry },
  });
  await script.printed(/:10\}/);

  const caller = `Bearer ${await token({ roles: ['tickets-query'] })}`;
  await eventually(
    () => fetch(`${stack.gateway}/tickets`, { headers: { authorization: caller } }),
    ({ status }) => status === 200,
  );
  const other = `http://127.0.0.1:${tickets.port}/other`;
  await regRun(registry, 'register', 'Other / Service', '--url', '/other', '--endpoint', other, '--wait');
  expect(await regRun(registry, 'services')).toMatch(/tickets[\s\S]*Other \/ Service/);
  await regRun(registry, 'drain', 'Other / Service', '--id', `127.0.0.1-${tickets.port}`, '--wait');
  await watching.printed(/instance-drained/);
  await regRun(registry, 'unregister', 'Other / Service');
  await watching.printed(/instance-unregistered {2}Other \/ Service/);
  await expect(
    regRun(registry, 'register', 'Mine', '--url', '/registry/mine', '--endpoint', 'http://127.0.0.1:9'),
  ).rejects.toThrow('path_reserved');

  tickets.process.kill('SIGTERM');
  await tickets.process.ended;
  expect(await listed(registry)).toEqual([]);
});

test('the last word of a process that ends in any way goes by the path too', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(folder.path, withPath);
  const registry = `${stack.gateway}/registry`;
  await using watching = await startWatch(registry);
  await watching.printed(/watching/);
  await using service = await startProcess('node', [`${root}tests/support/ends.mjs`, 'throw'], {
    env: { ...credentials, SELF_REGISTRY: registry },
  });
  const [, url = ''] = await service.printed(/ready\n(\S+)/);
  await fetch(url).catch(() => undefined); // it ends on being asked
  expect((await service.ended).code).toBe(1);
  await watching.printed(/instance-unregistered {2}ends/);
});

test('the gateway is ended with a watch and a poll open: both are let go, and it ends well', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(folder.path, withPath);
  const registry = `${stack.gateway}/registry`;
  await using watching = await startWatch(registry);
  await watching.printed(/watching/);
  const changes = await fetch(`${registry}/v1/changes`, { headers: { authorization } });
  const said = changes.text(); // rejects where the stream is broken off
  stack.process.kill('SIGTERM');
  expect(await said).toContain(': following');
  expect(await stack.process.ended).toEqual({ code: 0, signal: null });
});

test('two gateways beside a registry: by the path of either, and both know before it is done', async () => {
  await using folder = await temporaryFolder();
  await using beside = await startRegistry(`${folder.path}/registry`, 0, withPath);
  await using first = await startGateway(`${folder.path}/first`, beside.url, withPath);
  await using second = await startGateway(`${folder.path}/second`, beside.url, withPath);
  const both = `${first.url}/registry,${second.url}/registry`;
  await using tickets = await startTickets(both, 0, credentials);
  const inTime = { withinMs: 15_000 };
  const isListed = async () => (await listed(beside.url)).length === 1;
  await eventually(isListed);
  const endpoint = `http://127.0.0.1:${tickets.port}/other`;
  const args = ['--url', '/other', '--endpoint', endpoint, '--public', '--wait', '--json'];
  const connected = async () => {
    const health = await fetch(`${beside.url}/v1/health`, { headers: { authorization } });
    return ((await health.json()) as { gateways: unknown[] }).gateways.length === 2;
  };
  await eventually(connected);
  expect(JSON.parse(await regRun(both, 'register', 'other', ...args))).toMatchObject({ missing: [] });
  for (const { url } of [first, second]) expect((await fetch(`${url}/other`)).status).toBe(404); // of the app

  first.process.kill('SIGKILL');
  await first.process.ended;
  await using watching = await startWatch(both);
  await watching.printed(/watching/);
  await using _another = await startTickets(both, 0, credentials);
  await watching.printed(/instance-registered {2}tickets/, inTime);
  tickets.process.kill('SIGTERM');
  await tickets.process.ended;
  expect(await listed(beside.url)).toHaveLength(1);
});
