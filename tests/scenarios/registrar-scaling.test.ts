// The registrar starts and stops real processes as their load and the word of an operator want it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePortRange } from '../support/free-port.ts';
import { startLoad } from '../support/load.ts';
import type { StartedProcess } from '../support/process.ts';
import {
  endsWhatRuns,
  pidOn,
  plainApp,
  policyFolder,
  startPlainApp,
  startRegistrar,
  startWebhook,
} from '../support/registrar.ts';
import { listed, runReg, startRegistry, startStack, token } from '../support/stack.ts';
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
  const events = async () => {
    const response = await fetch(`${registry.url}/v1/history?service=plain`);
    const { entries } = (await response.json()) as { entries: { event?: string }[] };
    return new Set(entries.map(({ event }) => event));
  };
  await eventually(events, (seen) =>
    ['check-passing', 'scaled-up', 'scaled-down'].every((event) => seen.has(event)),
  );
  await eventually(registrar.log, (lines) =>
    lines.some((line) => line.includes('stopped: 0 are wanted, as said by hand')),
  );
});

test('a webhook is asked once, and the one that was asked for is pending until it is there', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(join(folder.path, 'data'));
  const policies = await policyFolder(folder.path);
  const range = await freePortRange(2);
  await using _apps = endsWhatRuns(range);
  const started: Promise<StartedProcess>[] = [];
  await using hook = await startWebhook(({ event, instanceId }) => {
    // Like a new machine: it takes longer than several looks of the registrar.
    if (event === 'start')
      started.push(startPlainApp(range[started.length] ?? 0, { LISTEN_AFTER_MS: '3000' }));
    else void pidOn(Number(String(instanceId).split('-')[1])).then((pid) => process.kill(pid, 'SIGTERM'));
  });
  const text = `
url: /plain
authorizedRoles: []
runs: { ports: [${range.join(', ')}] }
checks: [{ type: http }]
checking: { intervalMs: 300, passes: 1 }
scaling: { min: 1, max: 2, drainMs: 100, start: { webhook: '${hook.url}' } }
`;
  await policies.write('plain.yaml', text);
  await using _registrar = await startRegistrar(registry.url, policies.path);
  const all = () => listed(registry.url, 'plain');
  await eventually(all, (now) => up(now) === 1, { withinMs: 30_000 });
  expect(hook.bodies).toMatchObject([{ event: 'start', service: 'plain', because: '0 of 1 pass' }]);
  await runReg(registry.url, 'scale', 'plain', '2');
  await eventually(all, (now) => up(now) === 2, { withinMs: 30_000 });
  await runReg(registry.url, 'scale', 'plain', '1');
  await eventually(all, (now) => now.length === 1, { withinMs: 30_000 });
  expect(hook.bodies.map(({ event, instanceId }) => [event, instanceId])).toEqual([
    ['start', undefined],
    ['start', undefined],
    ['stop', `127.0.0.1-${range[1]}`],
  ]);
});

test('under high load one more is there, when it falls it is drained and goes, and no request fails', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(join(folder.path, 'data'));
  const policies = await policyFolder(folder.path);
  const range = await freePortRange(5);
  const times = 'highForMs: 1000, lowForMs: 2000, coolDownUpMs: 500, coolDownDownMs: 500, drainMs: 1000';
  await policies.write('plain.yaml', policyOf(range, `min: 1, max: 2, highLoad: { inFlight: 4 }, ${times}`));
  const env = { WORK_MS: '50' };
  await using registrar = await startRegistrar(stack.registry, policies.path, { env });
  await using _apps = endsWhatRuns(range);
  const all = () => listed(stack.registry, 'plain');
  await eventually(all, (now) => up(now) === 1, { withinMs: 30_000 });
  const authorization = `Bearer ${await token({ roles: [] })}`;

  const light = startLoad(`${stack.gateway}/plain`, { authorization, lanes: 1 });
  const heavy = startLoad(`${stack.gateway}/plain`, { authorization, lanes: 16 });
  await eventually(all, (now) => up(now) === 2, { withinMs: 30_000 });
  const { failures: heavyFailures } = await heavy.stop();
  await eventually(all, (now) => now.length === 1, { withinMs: 30_000 });
  const { failures: lightFailures } = await light.stop();
  expect([...heavyFailures, ...lightFailures]).toEqual([]);
  const because = [
    /started .*: requests in flight at each/,
    /stopped: requests in flight at each .* below half of 4/, // told when it has ended, which the listing may show first
  ];
  await eventually(registrar.log, (lines) =>
    because.every((reason) => lines.some((line) => reason.test(line))),
  );
});

test('told that its load is high, a service gets one more, and the hook is called', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(join(folder.path, 'data'));
  const policies = await policyFolder(folder.path);
  const range = await freePortRange(5);
  await using _stranger = await startPlainApp(range[0]); // it passes, and has nothing to do with the service
  const hook = `\non: { highLoad: { command: [sh, -c, 'cat >${folder.path}/event'] } }\n`;
  await policies.write('plain.yaml', policyOf(range, 'min: 1, max: 2, highForMs: 500') + hook);
  await using _registrar = await startRegistrar(registry.url, policies.path);
  await using _apps = endsWhatRuns(range);
  const all = () => listed(registry.url, 'plain');
  const [first] = await eventually(all, (now) => up(now) === 1, { withinMs: 30_000 });
  expect(first?.instanceId).toBe(`127.0.0.1-${range[0] + 1}`);
  await fetch(`${registry.url}/v1/services/plain/load`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ level: 'high', forMs: 60_000, by: 'the test' }),
  });
  await eventually(all, (now) => up(now) === 2, { withinMs: 30_000 });
  const event = await eventually(
    () => readFile(join(folder.path, 'event'), 'utf8'),
    (text) => text.endsWith('\n'),
  );
  expect(JSON.parse(event)).toMatchObject({
    event: 'high-load',
    service: 'plain',
    because: 'the test says so',
  });
});
