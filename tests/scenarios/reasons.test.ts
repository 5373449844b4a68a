// Why did this request go there, and is it well: asked of the real programs.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { runProcess } from '../support/process.ts';
import {
  listed,
  reg,
  startGateway,
  startRegistry,
  startStack,
  startTickets,
  token,
} from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function health(url: string, query = '') {
  const response = await fetch(`${url}/v1/health${query}`);
  return { status: response.status, json: JSON.parse(await response.text()) };
}

function explain(registry: string, ...args: string[]) {
  return runProcess('node', [reg, 'explain', ...args], { env: { REG_REGISTRY: registry } });
}

test('the registry is killed: the gateway is ready, says since when its view is stale, serves, and is well again', async () => {
  await using folder = await temporaryFolder();
  await using killed = await startRegistry(folder.path);
  await using gateway = await startGateway(folder.path, killed.url);
  await using tickets = await startTickets(killed.url);
  const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
  const ask = () => fetch(`${gateway.url}/tickets`, { headers: { authorization } });
  await eventually(ask, ({ status }) => status === 200);
  await eventually(
    () => health(gateway.admin),
    ({ json }) => json.status === 'ok' && json.gateway.routes === 1,
  );

  const killedAt = Date.now();
  killed.process.kill('SIGKILL');
  await killed.process.ended;
  const { json } = await eventually(
    () => health(gateway.admin),
    (answer) => answer.json.gateway.stale,
  );
  expect(json).toMatchObject({ status: 'degraded', live: { ok: true }, ready: { ok: true } });
  const [reason] = json.ready.reasons;
  expect(reason.code).toBe('stale_view');
  expect(reason.since).toBeGreaterThan(killedAt - 1_000); // two clocks of one machine
  // Which registry: once it was asked again.
  await eventually(
    () => health(gateway.admin),
    (answer) => answer.json.reasons.join().includes(new URL(killed.url).port),
  );
  expect((await health(gateway.admin, '?check=ready')).status).toBe(200);
  const probe = await fetch(`${gateway.url}/_reg/health`);
  expect([probe.status, await probe.json()]).toEqual([200, { live: true, ready: true }]);
  expect((await ask()).status).toBe(200);
  const told = await explain(killed.url, '--admin', gateway.admin, 'GET', '/tickets');
  expect(told.stdout).toContain('stale');
  expect(told.stdout).toContain(`127.0.0.1-${tickets.port}`);

  await using restarted = await startRegistry(folder.path, Number(new URL(killed.url).port));
  await eventually(
    () => listed(restarted.url),
    (all) => all.length === 1,
    { withinMs: 15_000 },
  );
  await eventually(
    () => health(gateway.admin),
    (answer) => answer.json.status === 'ok',
    { withinMs: 20_000 },
  );
});

test('reg explain says where a request goes, or why it does not, with the exit code for scripts', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(folder.path);
  await using tickets = await startTickets(stack.registry);
  await eventually(
    () => listed(stack.registry),
    (all) => all.length === 1,
  );
  const caller = await token({ roles: ['tickets-query'] });
  const good = await explain(stack.registry, 'get', '/tickets/1?secret=hunter2', '--token', caller);
  expect(good).toMatchObject({ code: 0, stderr: '' });
  expect(good.stdout).toContain(`it goes to 127.0.0.1-${tickets.port}`);
  expect(good.stdout).toMatch(/caller +needs tickets-query\n +ada holds tickets-query/);
  expect(good.stdout).not.toMatch(/hunter2|eyJ/);

  const other = await explain(stack.registry, 'GET', '/tickets', '--token', await token({ roles: ['x'] }));
  expect(other.code).toBe(1);
  expect(other.stdout).toContain('403 role_missing');
  const none = await explain(stack.registry, '/tickest', '--json');
  expect(none.code).toBe(1);
  expect(JSON.parse(none.stdout)).toMatchObject({
    outcome: { code: 'route_not_found' },
    nearMisses: [{ url: '/tickets', why: 'similar' }],
  });
  expect(await explain(stack.registry, 'GET')).toMatchObject({ code: 2, stdout: '' });
});

test('on SIGTERM ready goes first, while what is under way is finished', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(folder.path);
  let finish = () => {};
  const slow = createServer((_request, response) => {
    finish = () => response.end(', done');
    response.write('begun');
  }).listen(0, '127.0.0.1');
  await eventually(() => slow.listening);
  const { port } = slow.address() as AddressInfo;
  const registration = {
    url: '/slow',
    endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
    authorizedRoles: [],
    access: 'public',
    lease: 'none',
  };
  await fetch(`${stack.registry}/v1/services/slow/instances/one?waitFor=gateways`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(registration),
  });
  const answer = await fetch(`${stack.gateway}/slow`);
  expect((await health(stack.registry, '?check=ready')).status).toBe(200);

  stack.process.kill('SIGTERM');
  const closing = await eventually(
    () => health(stack.registry, '?check=ready'),
    ({ status }) => status === 503,
  );
  expect(closing.json).toMatchObject({ code: 'not_ready', detail: expect.stringMatching(/^closing: /) });
  expect((await health(stack.registry, '?check=live')).status).toBe(200);
  finish();
  expect(await answer.text()).toBe('begun, done');
  expect(await stack.process.ended).toMatchObject({ code: 0 });
  slow.close();
});
