import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startLoad } from '../support/load.ts';
import { listed, runReg, startStack, startTickets, token } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('every instance is killed, and later stopped: GETs are answered by the fallback, marked; back by themselves', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(folder.path);
  const bearer = await token({ roles: ['tickets-query'] });
  const authorization = `Bearer ${bearer}`;
  const url = `${stack.gateway}/tickets`;
  const ask = async (method = 'GET', path = '') => {
    const response = await fetch(url + path, { method, headers: { authorization } });
    const text = await response.text();
    return { status: response.status, text, mark: response.headers.get('x-reg-degraded') };
  };

  await using first = await startTickets(stack.registry);
  await using second = await startTickets(stack.registry);
  await eventually(
    () => listed(stack.registry),
    (all) => all.length === 2,
  );
  await eventually(ask, ({ status }) => status === 200);
  const policy = {
    fallback: { use: [{ kind: 'cache' }, { kind: 'static', status: 203, body: '{"tickets":[]}' }] },
  };
  const set = await fetch(`${stack.registry}/v1/services/tickets/policy`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(policy),
  });
  expect(set.status).toBe(200);
  const explained = async () =>
    JSON.parse(await runReg(stack.registry, 'explain', 'GET', '/tickets', '--token', bearer, '--json'));
  await eventually(
    async () => {
      await ask();
      return explained();
    },
    ({ fallback }) => fallback?.[0]?.answers === true,
  );
  const before = await ask();
  const load = startLoad(url, { authorization, perSecond: 50 });

  for (const one of [first, second]) one.process.kill('SIGKILL');
  await eventually(ask, ({ mark }) => mark !== null);
  expect(await ask()).toMatchObject({
    status: 200,
    text: before.text,
    mark: expect.stringMatching(/^tickets; source=cache; age=\d+$/),
  });
  expect(await ask('GET', '/never-asked')).toEqual({
    status: 203,
    text: '{"tickets":[]}',
    mark: 'tickets; source=static',
  });
  expect(await ask('DELETE', '/1')).toMatchObject({ mark: null });
  await eventually(
    () => listed(stack.registry),
    (all) => all.length === 0,
    { withinMs: 15_000 },
  );
  expect((await ask()).mark).toMatch(/^tickets; source=cache/);

  await using third = await startTickets(stack.registry);
  await eventually(ask, ({ mark }) => mark === null);
  third.process.kill('SIGTERM');
  await third.process.ended;
  await eventually(ask, ({ mark }) => mark !== null);
  await using _fourth = await startTickets(stack.registry);
  await eventually(ask, ({ mark }) => mark === null);
  const { failures } = await load.stop();
  expect(failures).toEqual([]);
});
