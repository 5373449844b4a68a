// Services that know nothing of us, under units that `reg systemd install` wrote, and a real `systemd --user`.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { regSystemd, runOf, untilListed, writeServer } from '../support/installed-unit.ts';
import { startLoad } from '../support/load.ts';
import { skipWithout } from '../support/part.ts';
import { startProcess } from '../support/process.ts';
import { listed, reg, startRegistry, startStack, token } from '../support/stack.ts';
import { hasSystemd, startUserSystemd } from '../support/systemd.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const withSystemd = test.skipIf(skipWithout('a systemd --user of our own', hasSystemd));

const name = 'Tickets 100% "q"';
const unit = 'tickets-100-q.service';
const flags = ['--url', '/tickets', '--roles', 'tickets-query'];

/** Follows the registry. @returns each change as a line of JSON */
async function watch(registry: string) {
  const watching = await startProcess('node', [reg, 'watch', '--json', '--registry', registry]);
  await watching.printed(/^watching/m);
  return watching;
}

withSystemd(
  'started late, stopped, killed: listed only while it answers, and each end says why',
  async () => {
    await using folder = await temporaryFolder();
    await using registry = await startRegistry(join(folder.path, 'data'));
    await using systemd = await startUserSystemd();
    await using changes = await watch(registry.url);
    const port = await freePort();
    const server = await writeServer(folder.path, { lateMs: 3_000 });
    const words = ['a b', '5%n', '$HOME', `\${HOME}`, '"', "it's", '\\', ';', '', 'ü'];
    const exec = `node "${server}" ${words.map((one) => `'${one.replaceAll("'", `'\\''`)}'`).join(' ')} {port}`;
    const installed = await regSystemd(
      systemd,
      ...['install', name, '--exec', exec, '--port', String(port), ...flags, '--registry', registry.url],
      ...['--env', 'SELF_REGISTRY=1', '--env', 'PRICE=5% $HOME "x"'],
    );
    expect(installed).toContain(join(systemd.unitFolder, unit));

    const started = systemd.systemctl('start', unit);
    const answers = () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        (response) => response.text(),
        () => undefined,
      );
    while ((await answers()) === undefined) expect(await listed(registry.url, name)).toEqual([]);
    await started;
    expect(await answers()).toBe('unset'); // no double registration
    const pid = await systemd.systemctl('show', '--property=MainPID', '--value', unit);
    expect(await readFile(`/proc/${pid}/environ`, 'utf8')).toContain('PRICE=5% $HOME "x"\0');
    const given = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(2, -1);
    expect(given).toEqual([...words, String(port)]);
    const [first] = await untilListed(registry.url, name, await runOf(systemd, unit));
    expect(first).toMatchObject({
      ...{ instanceId: `127.0.0.1-${port}`, lease: 'none', owner: `systemd:${unit}` },
      endpoints: [{ url: `http://127.0.0.1:${port}/tickets` }],
      metadata: {
        machine: expect.stringMatching(/^[0-9a-f]{32}$/),
        boot: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    });
    expect(await regSystemd(systemd, 'status', '--registry', registry.url)).toMatch(
      new RegExp(`${unit} +active +127.0.0.1-${port}`),
    );

    await systemd.systemctl('stop', unit);
    expect(await listed(registry.url, name)).toEqual([]);
    await changes.printed(/"instance-drained"/);
    await changes.printed(/"instance-unregistered".*"reason":"systemd: success exited 0"/);

    await systemd.systemctl('start', unit);
    process.kill(Number(await systemd.systemctl('show', '--property=MainPID', '--value', unit)), 'SIGKILL');
    await changes.printed(/"instance-unregistered".*"reason":"systemd: signal killed KILL"/, {
      withinMs: 30_000,
    });
    const again = await eventually(
      () => listed(registry.url, name),
      (all) => all.length === 1, // systemd starts it again, as another run
      { withinMs: 30_000 },
    );
    expect(again[0]?.runId).toBe(await runOf(systemd, unit));
    expect(again[0]?.runId).not.toBe(first?.runId);

    expect(await regSystemd(systemd, 'remove', name)).toContain(unit);
    expect(await listed(registry.url, name)).toEqual([]);
    expect((await readdir(systemd.unitFolder)).filter((file) => file.includes('tickets'))).toEqual([]);
    expect(await regSystemd(systemd, 'remove', name)).toMatch(/^nothing of ours/);
  },
);

withSystemd('a crash loop leaves nothing listed', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(join(folder.path, 'data'));
  await using systemd = await startUserSystemd();
  await using changes = await watch(registry.url);
  const server = await writeServer(folder.path);
  // It ends each time as soon as it was listed once: so every round of the loop lists and unlists.
  const listing = `${registry.url}/v1/services/${encodeURIComponent(name)}`;
  const ending = `for (;;) if ((await fetch('${listing}')).ok) process.exit(7);`;
  await writeFile(server, `${await readFile(server, 'utf8')}\n${ending}\n`);
  const to = ['--registry', registry.url, '--exec', `node "${server}"`, '--port', String(await freePort())];
  await regSystemd(systemd, 'install', name, ...flags, ...to);
  await systemd.systemctl('start', unit).catch(() => undefined); // how it fails is not what is asked here
  const restarts = () => systemd.systemctl('show', '--property=NRestarts', '--value', unit);
  await eventually(restarts, (text) => Number(text) >= 3, { withinMs: 60_000 });
  await changes.printed(/"instance-unregistered".*"reason":"systemd: exit-code exited 7"/);
  await systemd.systemctl('stop', unit);
  expect(await listed(registry.url, name)).toEqual([]);
});

withSystemd('a registry that is away keeps no service from starting or stopping', async () => {
  await using folder = await temporaryFolder();
  await using systemd = await startUserSystemd();
  const port = await freePort();
  const away = `http://127.0.0.1:${await freePort()}`;
  const server = await writeServer(folder.path);
  const to = ['--registry', away, '--exec', `node "${server}"`, '--port', String(port)];
  await regSystemd(systemd, 'install', name, ...flags, ...to);
  await systemd.systemctl('start', unit);
  const state = () => systemd.systemctl('show', '--property=ActiveState,Result', '--value', unit);
  expect(await state()).toBe('success\nactive');
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  expect(await systemd.log()).toContain('registry_unavailable');
  await systemd.systemctl('stop', unit);
  expect(await state()).toBe('success\ninactive');
});

withSystemd('a template runs one per port; a drop-in leaves the file of its unit alone', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(join(folder.path, 'data'));
  await using systemd = await startUserSystemd();
  const [one, two, three] = [await freePort(), await freePort(), await freePort()];
  const server = await writeServer(folder.path);
  const to = ['--registry', registry.url];
  await regSystemd(systemd, 'install', name, ...flags, ...to, '--exec', `node "${server}"`, '--template');
  await systemd.systemctl('start', `tickets-100-q@${one}`, `tickets-100-q@${two}`);
  const ids = async () => (await listed(registry.url, name)).map(({ instanceId }) => instanceId).sort();
  expect(await ids()).toEqual([`127.0.0.1-${one}`, `127.0.0.1-${two}`].sort());
  expect(await regSystemd(systemd, 'status', ...to)).toMatch(new RegExp(`@${two}.service +active +127`));

  const theirs = join(systemd.unitFolder, 'theirs.service');
  const text = `[Service]\nEnvironment=HOST=127.0.0.1 PORT=${three}\nExecStart=${process.execPath} "${server}"\n`;
  await writeFile(theirs, text);
  const asOther = ['install', 'theirs', '--exec', 'node', '--port', '1', '--url', '/theirs'];
  await expect(regSystemd(systemd, ...asOther)).rejects.toThrow(/is there and not ours/);
  await systemd.systemctl('daemon-reload');
  const drop = ['install', 'Theirs', '--drop-in', 'theirs', '--port', String(three), '--url', '/theirs'];
  await regSystemd(systemd, ...drop, ...to);
  await systemd.systemctl('start', 'theirs');
  await untilListed(registry.url, 'Theirs', await runOf(systemd, 'theirs'));
  expect(await readFile(theirs, 'utf8')).toBe(text);
  await regSystemd(systemd, 'remove', 'Theirs');
  expect(await readFile(theirs, 'utf8')).toBe(text);
  await expect(regSystemd(systemd, ...drop.with(3, 'nobody'))).rejects.toThrow(/there is no unit nobody/);

  await regSystemd(systemd, 'remove', name);
  expect(await ids()).toEqual([]);
});

withSystemd('one of two is restarted again and again under load: no request fails', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(join(folder.path, 'data'));
  await using systemd = await startUserSystemd();
  const server = await writeServer(folder.path);
  const ports = [await freePort(), await freePort()];
  const to = ['--registry', stack.registry, '--exec', `node "${server}"`, '--template', '--health', '/'];
  await regSystemd(systemd, 'install', name, ...flags, ...to);
  await systemd.systemctl('start', ...ports.map((port) => `tickets-100-q@${port}`));
  const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
  const load = startLoad(`${stack.gateway}/tickets`, { authorization, lanes: 4, perSecond: 100 });
  for (let round = 0; round < 3; round++) {
    for (const port of ports) await systemd.systemctl('restart', `tickets-100-q@${port}`);
  }
  const { answers, failures } = await load.stop();
  expect(failures).toEqual([]);
  expect(answers.length).toBeGreaterThan(50);
  expect(await listed(stack.registry, name)).toHaveLength(2);
});

// Story: a loss of power runs no ExecStopPost, and what was registered without a lease stays for ever.
withSystemd(
  'what an earlier boot left goes with the first registration of the next; what lives stays',
  async () => {
    await using folder = await temporaryFolder();
    await using registry = await startRegistry(join(folder.path, 'data'));
    await using systemd = await startUserSystemd();
    const port = await freePort();
    const server = await writeServer(folder.path);
    const to = ['--registry', registry.url, '--exec', `node "${server}"`, '--port', String(port)];
    await regSystemd(systemd, 'install', name, ...flags, ...to, '--now');
    const [instance] = await untilListed(registry.url, name, await runOf(systemd, unit));
    const { machine = '', boot = '' } = instance?.metadata ?? {};
    const put = async (service: string, owner: string, metadata: Record<string, string>) => {
      const dead = await freePort();
      const response = await fetch(`${registry.url}/v1/services/${service}/instances/x`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          ...{ url: `/${service}`, endpoints: [{ type: 'http', url: `http://127.0.0.1:${dead}` }] },
          ...{ authorizedRoles: [], lease: 'none', owner, metadata },
        }),
      });
      expect(response.status).toBeLessThan(300);
    };
    await put('left', 'systemd:left.service', { machine, boot: 'an-earlier-one' });
    await put('this-boot', 'systemd:this.service', { machine, boot });
    await put('other-machine', 'systemd:left.service', { machine: 'another', boot: 'an-earlier-one' });
    await put('by-hand', 'ops', { machine, boot: 'an-earlier-one' });

    await systemd.systemctl('restart', unit);
    expect(await listed(registry.url, 'left')).toEqual([]);
    for (const service of ['this-boot', 'other-machine', 'by-hand', encodeURIComponent(name)]) {
      expect(await listed(registry.url, decodeURIComponent(service))).toHaveLength(1);
    }
  },
);
