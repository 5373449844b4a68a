import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startLoad } from '../support/load.ts';
import { startProcess } from '../support/process.ts';
import {
  listed,
  position,
  root,
  startGateway,
  startRegistry,
  startTickets,
  token,
} from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('the registry is killed and restarted: gateway and clients go on, services come back by themselves', async () => {
  await using folder = await temporaryFolder();
  await using killed = await startRegistry(folder.path);
  await using gateway = await startGateway(folder.path, killed.url);
  await using _first = await startTickets(killed.url);
  await using _second = await startTickets(killed.url);
  const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
  await eventually(
    () => listed(killed.url),
    (all) => all.length === 2,
  );
  await eventually(
    () => fetch(`${gateway.url}/tickets`, { headers: { authorization } }),
    ({ status }) => status === 200,
  );
  const before = await position(killed.url);
  const load = startLoad(`${gateway.url}/tickets`, { authorization, perSecond: 100 });

  killed.process.kill('SIGKILL');
  await killed.process.ended;
  const away = load.answered();
  await eventually(() => load.answered() > away + 100);

  await using restarted = await startRegistry(folder.path, Number(new URL(killed.url).port));
  await eventually(
    () => listed(restarted.url),
    (all) => all.length === 2,
    { withinMs: 15_000 },
  );
  const after = await position(restarted.url);
  expect(after.epoch).not.toBe(before.epoch);
  expect(after.revision).toBeGreaterThan(before.revision);

  // A third one reaches the gateway: it follows the new registry.
  await using third = await startTickets(restarted.url);
  await eventually(
    () => fetch(`${gateway.url}/tickets`, { headers: { authorization } }),
    ({ headers }) => headers.get('x-served-by')?.endsWith(`${third.port}`) === true,
  );
  const { failures } = await load.stop();
  expect(failures).toEqual([]);
});

test('without a gateway: a script with only @reg/client finds two, spreads, follows, and goes on', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(folder.path);
  await using first = await startTickets(registry.url);
  await using second = await startTickets(registry.url);
  await eventually(
    () => listed(registry.url),
    (all) => all.length === 2,
  );
  await using script = await startProcess('node', [`${root}tests/support/discovers.mjs`, 'tickets'], {
    env: { REG_REGISTRY: registry.url },
  });
  /** The script prints a line per second-long round: who answered how often. */
  const rounds = () =>
    script
      .stdout()
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line): Record<string, number> => JSON.parse(line));
  const last = () => rounds().at(-1) ?? {};
  const id = ({ port }: { port: number }) => `127.0.0.1-${port}`;

  await eventually(last, (counts) => counts[id(first)] === 5 && counts[id(second)] === 5);

  first.process.kill('SIGTERM');
  await first.process.ended;
  await eventually(last, (counts) => counts[id(second)] === 10);

  await using third = await startTickets(registry.url);
  await eventually(last, (counts) => counts[id(third)] === 5 && counts[id(second)] === 5);

  registry.process.kill('SIGKILL');
  await registry.process.ended;
  const seen = rounds().length;
  await eventually(() => rounds().length > seen + 5);
  expect(last()).toEqual({ [id(second)]: 5, [id(third)]: 5 });
  expect(script.stderr()).toBe('');
});
