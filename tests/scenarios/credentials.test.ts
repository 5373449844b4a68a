// Story: until now the registry served its own machine only. Here it listens beyond it, and client, gateway
// and every `reg` command reach it with tokens: each may do what its token says, and no more.
import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { runProcess, type StartedProcess, startProcess } from '../support/process.ts';
import { operatorToken } from '../support/registry-token.ts';
import { root } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const reg = `${root}packages/cli/dist/main.js`;
const secret = 'a secret of the tests, of 32 bytes and more';
/** Of this machine, as another one would name it; where there is none, loopback is all that can be tried. */
const outside =
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';

async function up(
  flags: readonly string[],
  env: Record<string, string>,
): Promise<{ process: StartedProcess; [part: string]: unknown }> {
  const process = await startProcess('node', [reg, 'up', '--json', ...flags], { env });
  const [line] = await process.printed(/^\{.*\}$/m);
  return { process, ...JSON.parse(line) };
}

test('a registry beyond loopback: client, gateway and commands work with tokens, and none without', async () => {
  await using folder = await temporaryFolder();
  const own = { REG_REGISTRY_TOKEN: operatorToken, REG_JWT_SECRET: secret, REG_DATA: folder.path };
  const started = await up(['--host', '0.0.0.0', '--gateway-port=0', '--registry-port=0'], own);
  await using _first = started.process;
  const portOf = (url: unknown) => new URL(String(url)).port;
  const registry = `http://${outside}:${portOf(started.registry)}`;

  /** A command, with this token and no other. */
  const run = (token: string, ...args: string[]) =>
    runProcess('node', [reg, ...args], {
      env: { REG_REGISTRY: registry, REG_REGISTRY_TOKEN: token, REG_DATA: folder.path },
    });
  const tokenFor = async (...flags: string[]) =>
    (await run(operatorToken, 'token', '--for', 'registry', ...flags)).stdout.trim();
  const deploy = await tokenFor('--services', 'tickets', '--sub', 'deploy');
  const reader = await tokenFor('--read-only');
  const other = await tokenFor('--services', '*');

  // Commands: none without a token, none beyond it.
  expect(await run('', 'services')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^token_missing: /),
  });
  expect(await run(reader, 'services')).toMatchObject({ code: 0 });
  const instance = (name: string) => ['--url', `/${name}`, '--endpoint', `http://127.0.0.1:9/${name}`];
  expect(await run(reader, 'register', 'web', ...instance('web'))).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^not_permitted: /),
  });
  expect(await run(deploy, 'register', 'web', ...instance('web'))).toMatchObject({ code: 1 });

  // The sample service, whose code knows nothing of tokens.
  await using tickets = await startProcess('node', [`${root}apps/tickets/dist/service.js`], {
    env: { PORT: '0', SELF_REGISTRY: registry, REG_REGISTRY_TOKEN: deploy },
  });
  const listed = async () => JSON.parse((await run(reader, 'services', '--json')).stdout)[0]?.instances ?? [];
  const [{ instanceId }] = await eventually(listed, (all) => all.length === 1);
  expect(await run(other, 'unregister', 'tickets', '--id', instanceId)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^instance_foreign: /),
  });
  // Who had said nothing of `force` was told that it is an operator's.
  for (const command of ['unregister', 'drain']) {
    expect(await run(deploy, command, 'tickets', '--id', instanceId)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        "not_permitted: without --run-id whatever runs there is meant, which is an operator's to say: name the run with --run-id (reg services --json shows it)\n",
    });
  }

  // A gateway across the network, with a reader's token: it follows, and its word is waited for.
  const beside = await up(['--gateway-only', '--gateway-port=0', '--registry', registry], {
    ...own,
    REG_REGISTRY_TOKEN: reader,
  });
  await using _second = beside.process;
  const args = [reg, 'token', '--sub', 'ada', '--roles', 'tickets-query'];
  const caller = (await runProcess('node', args, { env: own })).stdout.trim();
  const authorization = `Bearer ${caller}`;
  for (const gateway of [started.gateway, beside.gateway]) {
    const url = `http://127.0.0.1:${portOf(gateway)}/tickets`;
    await eventually(
      () => fetch(url, { headers: { authorization } }),
      ({ status }) => status === 200,
    );
  }
  expect((await fetch(`${registry}/v1/services`, { headers: { authorization } })).status).toBe(401);

  // The operator may all of it; --wait counts the gateway that has a token of its own.
  const drained = await run(operatorToken, 'drain', 'tickets', '--id', instanceId, '--wait', '--json');
  expect(JSON.parse(drained.stdout)).toMatchObject({ missing: [] });

  // Leaving: the last word has the token too.
  tickets.kill('SIGTERM');
  await tickets.ended;
  expect(await listed()).toEqual([]);
  for (const process of [started.process, beside.process, tickets]) {
    for (const token of [operatorToken, deploy, reader, caller])
      expect(process.stdout() + process.stderr()).not.toContain(token);
  }
});
