// Units that know nothing of us, under a real systemd --user: the registrar lists those that run and pass, and keeps
// as many as their policy wants.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePortRange } from '../support/free-port.ts';
import { skipWithout } from '../support/part.ts';
import { pidOn, plainApp, policyFolder, startRegistrar } from '../support/registrar.ts';
import { listed, runReg, startRegistry } from '../support/stack.ts';
import { hasSystemd, startUserSystemd, type UserSystemd } from '../support/systemd.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const withSystemd = test.skipIf(skipWithout('a systemd --user of our own', hasSystemd));
const soon = { withinMs: 30_000 };

async function writeTemplate(systemd: UserSystemd, more = ''): Promise<void> {
  await writeFile(
    join(systemd.unitFolder, 'plain@.service'),
    `[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=${process.execPath} ${plainApp}\nEnvironment=PORT=%i\n${more}\n`,
  );
  await systemd.systemctl('daemon-reload');
}

const policy = (more = '') => `
url: /plain
authorizedRoles: []
runs: { systemd: plain@.service, user: true }
checks: [{ type: http }]
checking: { intervalMs: 300, timeoutMs: 1000, failures: 2, passes: 1 }
${more}`;

/** `systemctl --user` of the registrar finds the manager by this. */
const environmentOf = (systemd: UserSystemd) => ({
  XDG_RUNTIME_DIR: join(dirname(systemd.configFolder), 'run'),
});

withSystemd(
  'started, stopped, killed, in a crash loop, listening late: listed while it runs and passes',
  async () => {
    await using folder = await temporaryFolder();
    await using registry = await startRegistry(join(folder.path, 'data'));
    await using systemd = await startUserSystemd();
    await writeTemplate(systemd, 'Restart=on-failure\nRestartSec=100ms');
    const policies = await policyFolder(folder.path);
    await policies.write('plain.yaml', policy());
    await using _registrar = await startRegistrar(registry.url, policies.path, {
      env: environmentOf(systemd),
    });
    const [port, second] = await freePortRange(2);
    const all = () => listed(registry.url, 'plain');
    const invocation = () => systemd.systemctl('show', '--property=InvocationID', '--value', `plain@${port}`);

    await systemd.systemctl('start', `plain@${port}`, `plain@${second}`);
    const both = await eventually(all, (now) => now.length === 2, soon);
    both.sort((one, other) => one.instanceId.localeCompare(other.instanceId)); // either may be ready first
    expect(both).toMatchObject([
      { endpoints: [{ url: `http://127.0.0.1:${port}/plain` }], owner: 'registrar:here' },
      { endpoints: [{ url: `http://127.0.0.1:${second}/plain` }] },
    ]);
    expect(both[0]?.runId?.split('.')[0]).toBe(await invocation());

    await systemd.systemctl('stop', `plain@${second}`);
    await eventually(all, (now) => now.length === 1, soon);

    // systemd starts it again each time, as another run; at the end what is listed is what runs.
    for (let kill = 0; kill < 5; kill++) {
      const before = await invocation();
      process.kill(await eventually(() => pidOn(port)), 'SIGKILL');
      await eventually(invocation, (now) => now !== before && now !== '', soon);
    }
    await eventually(
      async () => [(await all())[0]?.runId?.split('.')[0], await invocation()],
      ([run, now]) => run === now,
      soon,
    );
    await systemd.systemctl('stop', `plain@${port}`);
    await eventually(all, (now) => now.length === 0, soon);

    await writeTemplate(systemd, 'Environment=LISTEN_AFTER_MS=3000');
    await systemd.systemctl('start', `plain@${port}`);
    const answers = () =>
      pidOn(port).then(
        () => true,
        () => false,
      );
    let early = false;
    await eventually(
      async () => {
        const isListed = (await all()).length > 0;
        early ||= isListed && !(await answers());
        return isListed;
      },
      Boolean,
      soon,
    );
    expect(early).toBe(false);
    await systemd.systemctl('stop', `plain@${port}`);
  },
);

withSystemd(
  'as many instances of the template run as the policy wants, and as an operator says',
  async () => {
    await using folder = await temporaryFolder();
    await using registry = await startRegistry(join(folder.path, 'data'));
    await using systemd = await startUserSystemd();
    await writeTemplate(systemd);
    const [first, last] = await freePortRange(5);
    const policies = await policyFolder(folder.path);
    const start = `start: { systemd: plain@, user: true, instances: [${first}, ${last}] }`;
    await policies.write('plain.yaml', policy(`scaling: { min: 2, drainMs: 100, ${start} }`));
    await using registrar = await startRegistrar(registry.url, policies.path, {
      env: environmentOf(systemd),
    });
    const all = () => listed(registry.url, 'plain');
    const running = async () =>
      (await systemd.systemctl('list-units', '--state=active', '--plain', '--no-legend', 'plain@*'))
        .split('\n')
        .filter(Boolean).length;

    await eventually(all, (now) => now.length === 2, soon);
    await eventually(registrar.log, (lines) =>
      lines.includes(`plain started plain@${first}.service: 0 of 2 pass`),
    );
    process.kill(await pidOn(first), 'SIGKILL'); // systemd leaves it at that
    await eventually(
      registrar.log,
      (lines) => lines.filter((line) => line.includes('plain started')).length === 3,
      soon,
    );
    await eventually(all, (now) => now.length === 2, soon);

    await runReg(registry.url, 'scale', 'plain', '1');
    await eventually(all, (now) => now.length === 1, soon);
    await eventually(running, (now) => now === 1, soon);
  },
);
