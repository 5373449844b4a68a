// `pnpm dev`, on a copy of this repo: its test changes source files, and must not change ours.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { mongo } from 'mongoose';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { hasMongod, startReplicaSet } from '../support/mongod.ts';
import { skipWithout } from '../support/part.ts';
import { type StartedProcess, startProcess } from '../support/process.ts';
import { run } from '../support/run.ts';
import { root } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ready = { withinMs: 90_000 };

/** Each package is a link; what pnpm may link anew in the copy (`.pnpm/node_modules`) is the copy's own. */
async function linkPackages(from: string, into: string): Promise<void> {
  await mkdir(into);
  for (const name of readdirSync(from)) {
    if (name === 'node_modules' || name === 'lock.yaml') {
      await cp(`${from}/${name}`, join(into, name), { recursive: true, verbatimSymlinks: true });
    } else await symlink(`${from}/${name}`, join(into, name));
  }
}

/** The sources as git knows them, what is built, and links to what is installed. */
async function copyRepo(to: string): Promise<void> {
  const listing = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  });
  const sources = listing
    .toString()
    .split('\0')
    .filter((path) => path !== '' && existsSync(root + path));
  for (const path of sources) await cp(root + path, join(to, path));
  const packages = ['packages', 'apps'].flatMap((top) =>
    readdirSync(root + top).map((name) => `${top}/${name}`),
  );
  // pnpm's links are relative, so a copy of them names the packages of the copy.
  const asItIs = { recursive: true, verbatimSymlinks: true };
  for (const folder of packages) {
    for (const part of ['node_modules', 'dist']) {
      if (existsSync(`${root}${folder}/${part}`))
        await cp(`${root}${folder}/${part}`, join(to, folder, part), asItIs);
    }
  }
  await mkdir(join(to, 'node_modules'));
  for (const name of readdirSync(`${root}node_modules`)) {
    const [from, into] = [`${root}node_modules/${name}`, join(to, 'node_modules', name)];
    if (name === '.pnpm') await linkPackages(from, into);
    else await cp(from, into, asItIs);
  }
  if (existsSync(`${root}.turbo/cache`)) await cp(`${root}.turbo/cache`, join(to, '.turbo/cache'), asItIs);
}

/** turbo wants pnpm on the PATH, as it is when `pnpm dev` runs. */
async function pathWithPnpm(): Promise<string> {
  const { stdout } = await run(['npx', '-y', '-p', 'pnpm@12.21.0', 'which', 'pnpm']);
  return [dirname(stdout.trim()), process.env.PATH].join(delimiter);
}

/** Free ones: the test of a second start takes the same again. */
async function freePorts() {
  const [gateway, registry, tickets] = [await freePort(), await freePort(), await freePort()];
  return {
    REG_GATEWAY_PORT: `${gateway}`,
    REG_REGISTRY_PORT: `${registry}`,
    TICKETS_PORT: `${tickets}`,
    TICKETS_QUERY_PORT: `${await freePort()}`,
  };
}

/** In a group of its own: a signal to the group is what Ctrl-C on a terminal is. */
async function startDev(
  folder: string,
  env: Record<string, string>,
  ...flags: readonly string[]
): Promise<StartedProcess> {
  return startProcess('node', ['scripts/dev.mjs', ...flags], {
    cwd: folder,
    env: { PATH: await pathWithPnpm(), ...env },
    group: true,
  });
}

/** Every process that works in that folder, whoever started it. */
function processesIn(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
    } catch {
      return false; // it ended while we looked
    }
  });
}

/** Runs the printed line as it stands, in a shell. */
async function paste(dev: StartedProcess, path = '/tickets'): Promise<string> {
  const [printed] = await dev.printed(/^curl .*$/m, ready);
  const line = printed.replace(/\/tickets$/, path);
  return (await run(['bash', '-c', line.replace('curl', 'curl --silent --show-error --include')])).stdout;
}

test('starts; its curl line works; a change is built and restarted; Ctrl-C leaves nothing; it starts again at once', async () => {
  await using folder = await temporaryFolder();
  await copyRepo(folder.path);
  const ports = await freePorts();
  const app = join(folder.path, 'apps/tickets/src/app.ts');
  {
    await using dev = await startDev(folder.path, ports);
    expect(await paste(dev)).toMatch(/^HTTP\/1.1 200[\s\S]*\[\{"id"/);
    expect(await paste(dev, '/tickets-query')).toMatch(/^HTTP\/1.1 200[\s\S]*\[\{"id"/); // as the registrar lists it

    const source = await readFile(app, 'utf8');
    await writeFile(app, source.replace("'X-Served-By', `", "'X-Served-By', `edited-"));
    await dev.printed(/restarted tickets/, ready);
    expect(await paste(dev)).toMatch(/^X-Served-By: edited-/im);

    await writeFile(app, 'const broken: = 1;');
    await dev.printed(/error TS\d+[\s\S]*what ran before runs on/, ready);
    expect(await paste(dev)).toMatch(/^HTTP\/1.1 200/);

    await writeFile(app, source);
    await writeFile(
      join(folder.path, 'packages/cli/src/part.ts'),
      'export interface Part { close(): Promise<unknown> }\n',
    );
    await dev.printed(/restarted reg up and tickets/, ready);
    expect(await paste(dev)).toMatch(/^HTTP\/1.1 200/);

    dev.kill('SIGINT');
    expect(await dev.ended).toEqual({ code: 0, signal: null });
    expect(processesIn(folder.path)).toEqual([]);
    expect(dev.stderr()).toMatch(
      /"method":"DELETE","path":"\/v1\/services\/tickets\/instances\/.*"status":200/,
    );
  }
  await using again = await startDev(folder.path, ports);
  expect(await paste(again)).toMatch(/^HTTP\/1.1 200/);

  // Killed without a chance to end its children, it leaves none either.
  again.kill('SIGKILL');
  await again.ended;
  await eventually(
    () => processesIn(folder.path),
    (left) => left.length === 0,
  );
}, 300_000);

test.skipIf(skipWithout('a mongod', hasMongod))(
  'on a database: registry and tickets are in it, and so is what Ctrl-C takes out',
  async () => {
    await using folder = await temporaryFolder();
    await using replicaSet = await startReplicaSet();
    await copyRepo(folder.path);
    const env = { ...(await freePorts()), MONGO_URL: replicaSet.urlOf('tickets') };
    await using dev = await startDev(folder.path, env, '--store', replicaSet.urlOf('reg'));
    await dev.printed(/^store +mongodb:\/\/[^?]*\/reg$/m, ready);
    const client = await mongo.MongoClient.connect(replicaSet.url);
    try {
      const tickets = client.db('tickets').collection<{ _id: string }>('tickets');
      await tickets.insertOne({
        _id: 'T-9',
        title: 'by hand',
        status: 'open',
        openedOn: '2026-11-27',
      } as never);
      expect(await paste(dev)).toMatch(/^HTTP\/1.1 200[\s\S]*"T-9","title":"by hand"/);
      const services = client.db('reg').collection('services');
      expect(await services.findOne({ name: 'tickets' })).toMatchObject({ url: '/tickets' });
      dev.kill('SIGINT');
      expect(await dev.ended).toEqual({ code: 0, signal: null });
      // What the registrar listed has a lease: whoever opens the database next ends it, or the registrar goes on with it.
      expect(await services.distinct('name')).not.toContain('tickets');
    } finally {
      await client.close();
    }
    expect(processesIn(folder.path)).toEqual([]);
  },
  180_000,
);

// It named the port and not what chooses another one.
test('a port in use is one line that names the port, then what chooses another; exit 1, and nothing is left', async () => {
  await using folder = await temporaryFolder();
  await copyRepo(folder.path);
  for (const name of [
    'REG_GATEWAY_PORT',
    'REG_REGISTRY_PORT',
    'TICKETS_PORT',
    'TICKETS_QUERY_PORT',
  ] as const) {
    const ports = await freePorts();
    const holder = createServer().listen(Number(ports[name]), '127.0.0.1');
    await once(holder, 'listening');
    await using dev = await startDev(folder.path, ports);
    expect(await dev.ended, dev.stderr()).toEqual({ code: 1, signal: null });
    const lines = dev.stderr().split('\n');
    expect(
      lines.filter((line) => /port \d+.*in use/.test(line) && line.includes(ports[name])),
      dev.stderr(),
    ).toHaveLength(1);
    expect(dev.stderr()).toContain(name);
    expect(dev.stderr()).not.toMatch(/^\s+at /m);
    expect(processesIn(folder.path)).toEqual([]);
    holder.close();
  }
}, 180_000);

// They wrote one policy file: the first registrar then listed the app of the second, and nothing once that had ended.
test('two at once, on other ports: each registrar follows a policy of its own', async () => {
  await using folder = await temporaryFolder();
  await copyRepo(folder.path);
  const [one, two] = [await freePorts(), await freePorts()];
  const { REG_GATEWAY_PORT, REG_REGISTRY_PORT, ...appPorts } = two;
  const flags = ['--gateway-port', REG_GATEWAY_PORT, '--registry-port', REG_REGISTRY_PORT];
  const policyOf = async (dev: StartedProcess) => {
    const [, policies] = await dev.printed(/the registrar lists it by (\S+)$/m, ready);
    return readFile(join(folder.path, policies ?? '', 'tickets-query.yaml'), 'utf8');
  };
  await using first = await startDev(folder.path, one);
  await policyOf(first);
  {
    await using second = await startDev(folder.path, appPorts, ...flags);
    expect(await policyOf(second)).toContain(`ports: [${two.TICKETS_QUERY_PORT}]`);
    await second.printed(new RegExp(`^registry +http://127.0.0.1:${REG_REGISTRY_PORT}$`, 'm'));
    expect(await policyOf(first)).toContain(`ports: [${one.TICKETS_QUERY_PORT}]`);
    expect(await paste(second, '/tickets-query')).toMatch(/^HTTP\/1.1 200/);
    second.kill('SIGINT');
    expect(await second.ended, second.stderr()).toEqual({ code: 0, signal: null });
  }
  expect(await paste(first, '/tickets-query')).toMatch(/^HTTP\/1.1 200/);
}, 180_000);

test('Ctrl-C while it builds ends the build too', async () => {
  await using folder = await temporaryFolder();
  await copyRepo(folder.path);
  await using dev = await startDev(folder.path, await freePorts());
  await eventually(
    () => processesIn(folder.path),
    (all) => all.length > 1,
  );
  dev.kill('SIGINT');
  expect(await dev.ended).toEqual({ code: 0, signal: null });
  await eventually(
    () => processesIn(folder.path),
    (left) => left.length === 0,
  );
}, 60_000);
