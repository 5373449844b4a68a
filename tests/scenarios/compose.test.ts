// deploy/compose.yaml without containers: its commands and their environment as they are written there, run by the
// programs that they name. Only addresses are others, and a container's own folders.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { hasMongod, type Mongod, startMongod } from '../support/mongod.ts';
import { openMongosh } from '../support/mongosh.ts';
import { skipWithout } from '../support/part.ts';
import { type StartedProcess, startProcess } from '../support/process.ts';
import { run } from '../support/run.ts';
import { reg, root } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface ComposeService {
  readonly image: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
}

const file = await readFile(`${root}deploy/compose.yaml`, 'utf8');
const { services } = parse(file, { merge: true }) as { services: Record<string, ComposeService> };
const serviceOf = (name: string) => services[name] as ComposeService;
const namesOf = (prefix: string) => Object.keys(services).filter((name) => name.startsWith(prefix));
const secret = { REG_REGISTRY_TOKEN: 'r'.repeat(64), REG_JWT_SECRET: 'j'.repeat(64) };

/** `${NAME:?why}`, as compose puts the outside's environment in. */
function environmentOf({ environment = {} }: ComposeService): Record<string, string> {
  const outside: Readonly<Record<string, string | undefined>> = secret;
  return Object.fromEntries(
    Object.entries(environment).map(([name, text]) => [
      name,
      text.replace(/\$\{(\w+):\?[^}]+\}/, (_, key: string) => outside[key] ?? ''),
    ]),
  );
}

const skipped = skipWithout('a mongod', hasMongod);

test('reg accepts the flags of its services, and compose asks for every secret', async () => {
  for (const name of namesOf('reg-')) {
    const { command } = serviceOf(name);
    expect(command.slice(0, 3)).toEqual(['npx', '--yes', '@reg/cli']);
    const { stdout } = await run([process.execPath, reg, 'config', ...command.slice(3), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ command: 'up' });
    expect(environmentOf(serviceOf(name))).toEqual(secret);
  }
});

test('no two services have the same port outside, and each is that of a default inside', () => {
  const ports = namesOf('').flatMap((name) => serviceOf(name).ports ?? []);
  const parts = ports.map((port) => port.split(':'));
  expect(new Set(parts.map(([, outside]) => outside)).size).toBe(parts.length);
  expect(parts.map(([address]) => address)).toEqual(parts.map(() => '127.0.0.1'));
  expect(new Set(parts.map(([, , inside]) => inside))).toEqual(new Set(['3000', '3100']));
});

test.skipIf(skipped)(
  'three members, the set made once, two registries with their gateways: what one registers both route',
  async () => {
    await using folder = await temporaryFolder();
    await using mongosh = await openMongosh();
    const members = new Map<string, Mongod>();
    const ups: StartedProcess[] = [];
    await using _all = {
      async [Symbol.asyncDispose]() {
        for (const up of ups) await up[Symbol.asyncDispose]();
        await Promise.all([...members.values()].map((member) => member[Symbol.asyncDispose]()));
      },
    };
    for (const name of namesOf('mongo-')) {
      const { command } = serviceOf(name);
      expect(command[0]).toBe('mongod');
      const flags = command.slice(1).filter((flag) => flag !== '--bind_ip_all'); // here: loopback alone
      members.set(name, await startMongod(flags));
    }
    const placed = (text: string) =>
      text.replace(
        /(mongo-\d)(?::27017)?/g,
        (_, name: string) => members.get(name)?.url.replace('mongodb://', '') ?? name,
      );
    const [, host = '', , , line = ''] = serviceOf('set').command;
    const first = `mongodb://${placed(host.replace('--host=', ''))}/?directConnection=true`;
    for (let time = 0; time < 2; time++) await mongosh.evaluate(first, placed(line)); // a second time changes nothing

    for (const name of namesOf('reg-')) {
      const [, , , ...args] = serviceOf(name).command;
      const ports = { REG_GATEWAY_PORT: `${await freePort()}`, REG_REGISTRY_PORT: `${await freePort()}` };
      const here = args.map(placed).map((flag) => flag.replace('0.0.0.0', '127.0.0.1'));
      const env = { ...environmentOf(serviceOf(name)), ...ports, REG_DATA: join(folder.path, name) };
      ups.push(await startProcess('node', [reg, ...here, '--json'], { env }));
    }
    const started = await Promise.all(
      ups.map(async (up) => {
        const [line] = await up.printed(/^\{"gateway".*\}$/m, { withinMs: 60_000 });
        return JSON.parse(line) as { gateway: string; registry: string };
      }),
    );
    const [one, two] = started.map(({ registry }) => registry);
    const bearer = { authorization: `Bearer ${secret.REG_REGISTRY_TOKEN}` };
    const answer = await fetch(`${one}/v1/services/self/instances/self-1`, {
      method: 'PUT',
      headers: { ...bearer, 'content-type': 'application/json' },
      body: JSON.stringify({
        url: '/self',
        endpoints: [{ type: 'http', url: `${two}/v1/health` }],
        authorizedRoles: [],
        access: 'public',
        lease: 'none',
      }),
    });
    expect(answer.status).toBe(201);
    for (const { gateway } of started) {
      await eventually(async () => (await fetch(`${gateway}/self`)).status === 200);
    }
  },
  240_000,
);
