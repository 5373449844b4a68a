// The registrar starts and stops real processes as their load and the word of an operator want it.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import {
  endsWhatRuns,
  freePortRange,
  pidOn,
  plainApp,
  policyFolder,
  startRegistrar,
} from '../support/registrar.ts';
import { listed, runReg, startRegistry } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const up = (all: readonly { state: string }[]) => all.filter(({ state }) => state === 'up').length;

function policyOf([first, last]: readonly [number, number], scaling: string): string {
  return `
url: /plain
authorizedRoles: []
checks: [{ type: http }]
checking: { intervalMs: 300, timeoutMs: 1000, failures: 2, passes: 1 }
scaling: { ${scaling}, start: { command: [${process.execPath}, ${plainApp}], ports: [${first}, ${last}] } }
`;
}

test('one that dies is replaced up to min; the number said by hand goes before it', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(join(folder.path, 'data'));
  const policies = await policyFolder(folder.path);
  const range = await freePortRange(5);
  await policies.write('plain.yaml', policyOf(range, 'min: 2, max: 5, drainMs: 100'));
  await using registrar = await startRegistrar(registry.url, policies.path);
  await using _apps = endsWhatRuns(range);
  const all = () => listed(registry.url, 'plain');
  await eventually(all, (now) => up(now) === 2, { withinMs: 30_000 });

  process.kill(await pidOn(range[0]), 'SIGKILL');
  await eventually(registrar.log, (lines) =>
    lines.includes(`plain: what was started for port ${range[0]} ended (SIGKILL)`),
  );
  await eventually(all, (now) => up(now) === 2, { withinMs: 30_000 });

  await runReg(registry.url, 'scale', 'plain', '3');
  await eventually(all, (now) => up(now) === 3, { withinMs: 30_000 });
  await runReg(registry.url, 'scale', 'plain', '1');
  await eventually(all, (now) => now.length === 1, { withinMs: 30_000 });
  await runReg(registry.url, 'scale', 'plain', '0');
  await eventually(all, (now) => now.length === 0, { withinMs: 30_000 });
  expect(
    registrar.log().filter((line) => line.includes('stopped: 0 are wanted, as said by hand')),
  ).toHaveLength(1);
});
