// A late word of an old run never hurts the new one.
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startProcess } from '../support/process.ts';
import { listed, root, startRegistry, startTickets } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('a late unregister of an old run leaves the new run listed', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(folder.path);
  await using first = await startTickets(registry.url);
  const [old] = await eventually(
    () => listed(registry.url),
    (all) => all.length === 1,
  );
  first.process.kill('SIGKILL');
  await first.process.ended;
  await using _second = await startTickets(registry.url, first.port);
  const [fresh] = await eventually(
    () => listed(registry.url),
    (all) => all[0]?.runId !== old?.runId,
  );

  const unregister = `${registry.url}/v1/services/tickets/instances/${old?.instanceId}`;
  for (const run of [`runId=${old?.runId}`, `generation=${old?.generation}`]) {
    const late = await fetch(`${unregister}?${run}`, { method: 'DELETE' });
    expect(late.status).toBe(409);
    expect(await late.json()).toMatchObject({ code: 'generation_superseded' });
  }
  expect((await listed(registry.url)).map(({ runId }) => runId)).toEqual([fresh?.runId]);
});

test('a process paused past its lease cannot push out its successor', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(folder.path);
  const start = (runId: string) =>
    startProcess('node', [`${root}tests/support/holds.mjs`, runId], { env: { REG_REGISTRY: registry.url } });
  await using paused = await start('run-1');
  await paused.printed(/^registered$/m);

  paused.kill('SIGSTOP');
  await eventually(
    () => listed(registry.url, 'holds'),
    (all) => all.length === 0,
  );
  await using successor = await start('run-2');
  await successor.printed(/^registered$/m);
  paused.kill('SIGCONT');
  await paused.printed(/generation_superseded/);

  const after = await listed(registry.url, 'holds');
  expect(after.map(({ runId }) => runId)).toEqual(['run-2']);
  paused.kill('SIGTERM');
  await paused.ended;
  const registered = ({ leaseUntil: _, load: __, ...said }: (typeof after)[number]) => said;
  expect((await listed(registry.url, 'holds')).map(registered)).toEqual(after.map(registered));
});
