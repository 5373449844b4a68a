import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startLoad } from '../support/load.ts';
import { listed, startStack, startTickets, token } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const oneListed = (all: readonly unknown[]) => all.length === 1;

test('no token 401, wrong role 403, right role 200 and the tickets', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(folder.path);
  await using _tickets = await startTickets(stack.registry);
  await eventually(() => listed(stack.registry), oneListed);
  const get = (headers: Record<string, string>, path = '/tickets') =>
    fetch(`${stack.gateway}${path}`, { headers });
  const as = async (...roles: string[]) => ({ authorization: `Bearer ${await token({ roles })}` });
  await eventually(
    () => get({}),
    ({ status }) => status === 401,
  );

  const nobody = await get({});
  expect(nobody.headers.get('www-authenticate')).toContain('Bearer');
  expect(await nobody.json()).toMatchObject({ code: 'token_missing' });

  const wrong = await get(await as('billing'));
  expect(wrong.status).toBe(403);
  expect(await wrong.json()).toMatchObject({ code: 'role_missing' });

  const right = await get(await as('tickets-query'));
  expect(right.status).toBe(200);
  const tickets = (await right.json()) as { id: unknown }[];
  expect(tickets.length).toBeGreaterThanOrEqual(3);

  const one = await get(await as('tickets-query', 'more'), `/tickets/${tickets[0]?.id}`);
  expect(await one.json()).toEqual(tickets[0]);
  expect((await get(await as('tickets-query'), '/nowhere')).status).toBe(404);
});

test('a second tickets gets half of the requests within 200 ms; one leaves under load and none of 2,000 fails', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(folder.path);
  const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
  await using first = await startTickets(stack.registry);
  await eventually(
    () => fetch(`${stack.gateway}/tickets`, { headers: { authorization } }),
    ({ status }) => status === 200,
  );
  const load = startLoad(`${stack.gateway}/tickets`, { authorization });
  await eventually(() => load.answered() > 100);

  await using second = await startTickets(stack.registry);
  await eventually(
    () => listed(stack.registry),
    (all) => all.length === 2,
  );
  await eventually(
    async () => {
      const two = await Promise.all(
        [1, 2].map(() => fetch(`${stack.gateway}/tickets`, { headers: { authorization } })),
      );
      return new Set(two.map(({ headers }) => headers.get('x-served-by')));
    },
    (servers) => servers.size === 2,
    { withinMs: 200 },
  );
  const before = load.answered();
  await eventually(() => load.answered() > before + 600, Boolean, { withinMs: 60_000 });

  first.process.kill('SIGTERM');
  expect(await first.process.ended).toEqual({ code: null, signal: 'SIGTERM' });
  expect((await listed(stack.registry)).map(({ instanceId }) => instanceId)).toEqual([
    `127.0.0.1-${second.port}`,
  ]);
  const left = load.answered();
  await eventually(() => load.answered() > Math.max(2_000, left + 400), Boolean, { withinMs: 60_000 });

  const { answers, failures } = await load.stop();
  expect(failures).toEqual([]);
  expect(answers.length).toBeGreaterThan(2_000);
  const both = answers
    .slice(before, before + 600)
    .filter(({ servedBy }) => servedBy?.endsWith(`${second.port}`));
  expect(both.length).toBeGreaterThan(270);
  expect(both.length).toBeLessThan(330);
  const after = answers.slice(left + 20).map(({ servedBy }) => servedBy);
  expect(new Set(after)).toEqual(new Set([`127.0.0.1-${second.port}`]));
});

test('kill -9 of one of two under 100 GET/s: gone within lease + 1 s, no GET fails, and it is back at once', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(folder.path);
  const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
  await using first = await startTickets(stack.registry);
  await using _second = await startTickets(stack.registry);
  await eventually(
    () => listed(stack.registry),
    (all) => all.length === 2,
  );
  await eventually(
    () => fetch(`${stack.gateway}/tickets`, { headers: { authorization } }),
    ({ status }) => status === 200,
  );
  const load = startLoad(`${stack.gateway}/tickets`, { authorization, perSecond: 100 });
  await eventually(() => load.answered() > 100);

  first.process.kill('SIGKILL');
  await first.process.ended;
  await eventually(() => listed(stack.registry), oneListed, { withinMs: 10_000 + 1_000 });

  await using again = await startTickets(stack.registry, first.port);
  await eventually(
    () => listed(stack.registry),
    (all) => all.length === 2,
  );
  const { failures, answers } = await load.stop();
  expect(failures).toEqual([]);
  expect(answers.length).toBeGreaterThan(100);
  expect(again.process.stderr()).not.toContain('endpoint_taken');
});

test('restarted before its lease ended, the same place is a new run of the same instance', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(folder.path);
  await using first = await startTickets(stack.registry);
  const [old] = await eventually(() => listed(stack.registry), oneListed);
  first.process.kill('SIGKILL');
  await first.process.ended;

  await using _again = await startTickets(stack.registry, first.port);
  const [fresh] = await eventually(
    () => listed(stack.registry),
    (all) => oneListed(all) && all[0]?.runId !== old?.runId,
  );
  expect(fresh?.instanceId).toBe(old?.instanceId);
  expect(fresh?.generation).toBeGreaterThan(old?.generation ?? Number.POSITIVE_INFINITY);
});
