// `reg up` under a real systemd, by the units of deploy/systemd as they are: its sockets, its word that it is ready,
// and its signs of life.
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { skipWithout } from '../support/part.ts';
import { startPlainApp } from '../support/registrar.ts';
import { listed, root } from '../support/stack.ts';
import { hasSystemd, startUserSystemd, type UserSystemd } from '../support/systemd.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const withSystemd = test.skipIf(skipWithout('a systemd --user of our own', hasSystemd));

interface Installed {
  readonly gateway: string;
  readonly registry: string;
}

/** What takes mounts and users of its own: no user's manager has them, nor one in a container. */
const ofTheSystem = [
  'ControlGroups',
  'Home',
  'Hostname',
  'KernelLogs',
  'KernelModules',
  'KernelTunables',
  'Clock',
];
const withoutThese = [
  ...ofTheSystem.map((name) => `Protect${name}=no`),
  ...['ProtectProc=default', 'PrivateDevices=no', 'DynamicUser=no'],
].join('\n');

const programsIn = (folder: string) => join(folder, 'programs');

/** As the README says it, on free ports. */
async function install(systemd: UserSystemd, folder: string, sockets: boolean): Promise<Installed> {
  const programs = programsIn(folder);
  await mkdir(programs);
  await symlink(process.execPath, join(programs, 'node'));
  await symlink(`${root}packages/cli/bin/reg.js`, join(programs, 'reg'));
  const ports = { gateway: await freePort(), registry: await freePort() };
  await mkdir(join(systemd.configFolder, 'reg'), { recursive: true });
  await writeFile(
    join(systemd.configFolder, 'reg', 'reg.env'),
    `PATH=${programs}:/usr/bin:/bin\n` +
      (sockets ? '' : `REG_GATEWAY_PORT=${ports.gateway}\nREG_REGISTRY_PORT=${ports.registry}\n`),
  );
  await copyFile(`${root}deploy/systemd/reg.service`, join(systemd.unitFolder, 'reg.service'));
  await dropIn(systemd, 'reg.service', `[Service]\n${withoutThese}\nWatchdogSec=3\n`);
  if (sockets) {
    for (const [unit, port] of [['reg', ports.gateway] as const, ['reg-registry', ports.registry] as const]) {
      await copyFile(`${root}deploy/systemd/${unit}.socket`, join(systemd.unitFolder, `${unit}.socket`));
      await dropIn(systemd, `${unit}.socket`, `[Socket]\nListenStream=\nListenStream=127.0.0.1:${port}\n`);
    }
  }
  await systemd.systemctl('daemon-reload');
  return {
    gateway: `http://127.0.0.1:${ports.gateway}/_reg/health`,
    registry: `http://127.0.0.1:${ports.registry}/v1/health`,
  };
}

async function dropIn(systemd: UserSystemd, unit: string, text: string): Promise<void> {
  const folder = join(systemd.unitFolder, `${unit}.d`);
  await mkdir(folder);
  await writeFile(join(folder, 'here.conf'), text);
}

const property = (systemd: UserSystemd, name: string) =>
  systemd.systemctl('show', `--property=${name}`, '--value', 'reg.service');

withSystemd(
  'who connects before it runs starts it, and is answered; so is who connects while it restarts',
  async () => {
    await using folder = await temporaryFolder();
    await using systemd = await startUserSystemd();
    const { gateway, registry } = await install(systemd, folder.path, true);
    await systemd.systemctl('start', 'reg.socket', 'reg-registry.socket');
    expect(await property(systemd, 'ActiveState')).toBe('inactive');
    expect((await fetch(gateway)).status).toBe(200);
    expect((await fetch(registry)).status).toBe(200);
    expect(await property(systemd, 'ActiveState')).toBe('active');

    const first = await property(systemd, 'MainPID');
    const statuses = new Set<number>();
    let restarted = false;
    const restarting = systemd.systemctl('restart', 'reg.service').finally(() => {
      restarted = true;
    });
    // A connection of its own for each: one that is kept would be closed by whoever ends.
    while (!restarted) statuses.add((await fetch(gateway, { headers: { connection: 'close' } })).status);
    await restarting;
    expect(await property(systemd, 'MainPID')).not.toBe(first);
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]); // 503: it says that it closes
    expect((await fetch(gateway)).status).toBe(200);
  },
);

withSystemd(
  'started means ready; stopped it says so; without a sign of life it is started again',
  async () => {
    await using folder = await temporaryFolder();
    await using systemd = await startUserSystemd();
    const { gateway, registry } = await install(systemd, folder.path, false);
    await systemd.systemctl('start', 'reg.service');
    for (const url of [gateway, registry]) expect((await fetch(url)).status).toBe(200);

    // It lives for longer than its limit, and nobody starts it again.
    const pid = Number(await property(systemd, 'MainPID'));
    const told = () => property(systemd, 'WatchdogTimestampMonotonic');
    const signs = new Set<string>();
    await eventually(told, (at) => signs.add(at).size >= 4, { withinMs: 30_000 });
    expect(await property(systemd, 'MainPID')).toBe(String(pid));

    process.kill(pid, 'SIGSTOP'); // its event loop stands still
    await eventually(
      async () => [await property(systemd, 'NRestarts'), await property(systemd, 'ActiveState')],
      ([restarts, state]) => restarts === '1' && state === 'active',
      { withinMs: 60_000 },
    );
    expect(await property(systemd, 'MainPID')).not.toBe(String(pid));
    expect((await fetch(registry)).status).toBe(200);
    await systemd.systemctl('stop', 'reg.service');
    expect(await property(systemd, 'Result')).toBe('success');
  },
);

withSystemd(
  'the registrar, by its unit, lists what listens and passes; stopped it leaves it listed',
  async () => {
    await using folder = await temporaryFolder();
    await using systemd = await startUserSystemd();
    const { origin: registry } = new URL((await install(systemd, folder.path, false)).registry);
    const port = await freePort();
    const unit = 'reg-registrar.service';
    const settings = join(systemd.configFolder, 'reg');
    await copyFile(`${root}deploy/systemd/${unit}`, join(systemd.unitFolder, unit));
    await dropIn(systemd, unit, `[Service]\n${withoutThese}\n`);
    await writeFile(
      join(settings, 'reg-registrar.env'),
      `PATH=${programsIn(folder.path)}:/usr/bin:/bin\nREG_REGISTRY=${registry}\n`,
    );
    await mkdir(join(settings, 'policies'));
    await writeFile(
      join(settings, 'policies', 'plain.yaml'),
      `url: /plain\nauthorizedRoles: []\nruns: { ports: [${port}] }\nchecks: [{ type: http }]\nchecking: { intervalMs: 300 }\n`,
    );
    await systemd.systemctl('daemon-reload');
    await systemd.systemctl('start', 'reg.service', unit);
    await using _app = await startPlainApp(port);
    const [instance] = await eventually(
      () => listed(registry, 'plain'),
      (all) => all.length === 1,
      { withinMs: 30_000 },
    );
    expect(instance).toMatchObject({ state: 'up', owner: expect.stringMatching(/^registrar:/) });
    await systemd.systemctl('stop', unit);
    expect(await systemd.systemctl('show', '--property=Result', '--value', unit)).toBe('success');
    expect(await listed(registry, 'plain')).toHaveLength(1);
  },
);
