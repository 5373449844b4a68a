// However a process ends: it is unlisted at once, and it ends as it would without us.
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startProcess } from '../support/process.ts';
import { listed, root, startRegistry } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const script = `${root}tests/support/ends.mjs`;

/** Runs the script to its end. A signal is sent by the test, all else the script does by itself. */
async function endOf(how: string, registry?: string) {
  await using service = await startProcess('node', [script, how], { env: { SELF_REGISTRY: registry } });
  await service.printed(/^ready$/m);
  if (registry)
    await eventually(
      () => listed(registry, 'ends'),
      (all) => all.length === 1,
    );
  if (how.startsWith('SIG')) service.kill(how as NodeJS.Signals);
  else await fetch((await service.printed(/http:\S+/))[0]).catch(() => undefined);
  const { code, signal } = await service.ended;
  return { code, signal, stderr: service.stderr() };
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'exit', 'throw', 'reject'])('%s', async (how) => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(folder.path);
  const without = await endOf(how);
  const withUs = await endOf(how, registry.url);
  await eventually(
    () => listed(registry.url, 'ends'),
    (all) => all.length === 0,
    { withinMs: 1_000 },
  );
  expect(withUs).toEqual(without);
});
