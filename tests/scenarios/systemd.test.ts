// A service that knows nothing of us, listed by its unit: deploy/systemd/tickets-query.service as it is.
import { once } from 'node:events';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { skipWithout } from '../support/part.ts';
import { run } from '../support/run.ts';
import { listed, root, type Stack, startRegistry, startStack, token } from '../support/stack.ts';
import { hasSystemd, startUserSystemd, type UserSystemd } from '../support/systemd.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const unitFile = `${root}deploy/systemd/tickets-query.service`;
const unit = basename(unitFile);

const withSystemd = test.skipIf(skipWithout('a systemd --user of our own', hasSystemd));

/** Installs the unit as its README says; the app listens three seconds late. @returns its port */
async function install(systemd: UserSystemd, registry: string, folder: string): Promise<number> {
  const port = await freePort();
  const programs = join(folder, 'programs');
  await mkdir(programs);
  await symlink(process.execPath, join(programs, 'node'));
  await symlink(`${root}packages/cli/bin/reg.js`, join(programs, 'reg')); // as npm does for a package's `bin`
  const late = join(folder, 'late.mjs');
  await writeFile(late, `setTimeout(() => import('${root}apps/tickets/dist/app-only.js'), 3_000);\n`);

  await copyFile(unitFile, join(systemd.unitFolder, unit));
  await mkdir(join(systemd.configFolder, 'reg'));
  await writeFile(
    join(systemd.configFolder, 'reg', 'tickets-query.env'),
    `PATH=${programs}:/usr/bin:/bin\nAPP=${late}\nPORT=${port}\nREG_REGISTRY=${registry}\n`,
  );
  await systemd.systemctl('daemon-reload');
  return port;
}

/** Asks the gateway all the time. @returns the statuses in their order, each said once until another comes */
function followStatuses({ gateway }: Stack, authorization: string) {
  const statuses: number[] = [];
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      const { status } = await fetch(`${gateway}/tickets-query`, { headers: { authorization } });
      if (status !== statuses.at(-1)) statuses.push(status);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  return {
    statuses,
    last: () => statuses.at(-1),
    async [Symbol.asyncDispose]() {
      stopped = true;
      await running;
    },
  };
}

/** A second; each step starts `reg` once, which takes a multiple of its time where the machine is busy. */
async function aSecondHere(): Promise<{ withinMs: number }> {
  const startedAt = performance.now();
  await run([process.execPath, `${root}packages/cli/bin/reg.js`, '--version']);
  return { withinMs: 1_000 + 2 * (performance.now() - startedAt) };
}

withSystemd('started late, stopped, killed: listed and unlisted within 1 s each time', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(join(folder.path, 'data'));
  await using systemd = await startUserSystemd();
  const port = await install(systemd, stack.registry, folder.path);
  const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
  await using gateway = followStatuses(stack, authorization);
  const answers = () => fetch(`http://127.0.0.1:${port}/health`).then(({ ok }) => ok);
  const is = (status: number) => (last: number | undefined) => last === status;

  await eventually(gateway.last, is(404));
  const soon = await aSecondHere();
  const started = systemd.systemctl('start', unit);
  await eventually(answers);
  await eventually(gateway.last, is(200), soon);
  await started;
  expect(gateway.statuses).toEqual([404, 200]);
  expect(await listed(stack.registry, 'tickets-query')).toMatchObject([
    { instanceId: `127.0.0.1-${port}`, lease: 'none', leaseUntil: null, owner: `systemd:${unit}` },
  ]);

  const stopped = systemd.systemctl('stop', unit);
  await eventually(gateway.last, is(404), soon);
  await stopped;
  expect(gateway.statuses).toEqual([404, 200, 404]);

  await systemd.systemctl('start', unit);
  await eventually(gateway.last, is(200), soon);
  const [first] = await listed(stack.registry, 'tickets-query');
  process.kill(Number(await systemd.systemctl('show', '--property=MainPID', '--value', unit)), 'SIGKILL');
  await eventually(gateway.last, is(404), soon);

  // systemd starts it again, as another run.
  const [second] = await eventually(
    () => listed(stack.registry, 'tickets-query'),
    (all) => all.length === 1,
    { withinMs: 30_000 },
  );
  expect(second?.runId).not.toBe(first?.runId);
  expect(await systemd.systemctl('show', '--property=InvocationID', '--value', unit)).toBe(second?.runId);
});

// Story: the wait for the port was answered by whoever had the port, so that one was listed under the
// unit's name; its own app ended (port in use), and the unit unlisted the address.
withSystemd('a port that somebody else has is not listed, and what is listed there stays', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(join(folder.path, 'data'));
  await using systemd = await startUserSystemd();
  const port = await install(systemd, registry.url, folder.path);
  const holder = createServer((_request, response) => void response.end('other')).listen(port, '127.0.0.1');
  await once(holder, 'listening');
  await run([
    ...[process.execPath, `${root}packages/cli/dist/main.js`, 'register', 'tickets-query'],
    ...['--url', '/tickets-query', '--endpoint', `http://127.0.0.1:${port}/tickets`],
    ...['--roles', 'tickets-query', '--run-id', 'the-holder', '--registry', registry.url],
  ]);

  await expect(systemd.systemctl('start', unit)).rejects.toThrow(/control process exited/);
  await systemd.systemctl('stop', unit);
  expect(await systemd.log()).toContain(`127.0.0.1 port ${port} is in use`);
  expect(await listed(registry.url, 'tickets-query')).toMatchObject([{ runId: 'the-holder' }]);
  holder.close();
});

// Story: an app that ended at once left the unit waiting for its port until the start timed out.
withSystemd('an app that ends before it listens fails its unit at once, and nothing is listed', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(join(folder.path, 'data'));
  await using systemd = await startUserSystemd();
  await install(systemd, registry.url, folder.path);
  await writeFile(join(folder.path, 'late.mjs'), 'process.exit(7);\n');

  await expect(systemd.systemctl('start', unit)).rejects.toThrow();
  expect(await systemd.systemctl('show', '--property=ExecMainStatus', '--value', unit)).toBe('7');
  expect(await listed(registry.url, 'tickets-query')).toEqual([]);
});

// Story: at a reboot the registry may come later than the service, and it may be gone first.
withSystemd('without a registry the unit stops as ever', async () => {
  await using folder = await temporaryFolder();
  await using systemd = await startUserSystemd();
  await using registry = await startRegistry(join(folder.path, 'data'));
  await install(systemd, registry.url, folder.path);
  await systemd.systemctl('start', unit);
  registry.process.kill('SIGTERM');
  await registry.process.ended;

  await systemd.systemctl('stop', unit);
  expect(await systemd.systemctl('show', '--property=ActiveState,Result', '--value', unit)).toBe(
    'success\ninactive',
  );
});
