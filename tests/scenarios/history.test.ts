// What happened is told afterwards: why a unit ended, and who asked for what from where.
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import type { HistoryEntry } from '@reg/schema';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { skipWithout } from '../support/part.ts';
import { run } from '../support/run.ts';
import { reg, runReg, startGateway, startRegistry, startStack } from '../support/stack.ts';
import { hasSystemd, startUserSystemd } from '../support/systemd.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const withSystemd = test.skipIf(skipWithout('a systemd --user of our own', hasSystemd));

/** What systemd says of the end goes along as the reason, as a unit's `ExecStopPost` may. */
const stopScript = `const { SERVICE_RESULT, EXIT_CODE, EXIT_STATUS, INVOCATION_ID, REGISTRY } = process.env;
const reason = encodeURIComponent([SERVICE_RESULT, EXIT_CODE, EXIT_STATUS].join(' '));
const path = '/v1/services/failing/instances/one?runId=' + INVOCATION_ID + '&reason=' + reason;
await fetch(REGISTRY + path, { method: 'DELETE' });
`;

withSystemd('a unit that ends with failure leaves its reason in reg history', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(join(folder.path, 'data'));
  await using systemd = await startUserSystemd();
  const stop = join(folder.path, 'stop.mjs');
  await writeFile(stop, stopScript);
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const listIt = `${process.execPath} ${reg} register failing --url /failing --endpoint ${endpoint} --id one`;
  const unit = [
    '[Service]',
    `Environment=REGISTRY=${registry.url}`,
    `ExecStart=/bin/sh -c 'sleep 1000 & echo $! >${folder.path}/pid; wait $!; exit 3'`,
    `ExecStartPost=${listIt} --run-id \${INVOCATION_ID} --owner systemd:%n --registry ${registry.url}`,
    `ExecStopPost=${process.execPath} ${stop}`,
  ];
  await writeFile(join(systemd.unitFolder, 'failing.service'), `${unit.join('\n')}\n`);
  await systemd.systemctl('daemon-reload');
  await systemd.systemctl('start', 'failing.service');
  await run(['sh', '-c', `kill $(cat ${folder.path}/pid)`]);

  const told = await eventually(
    () => runReg(registry.url, 'history', 'failing'),
    (lines) => lines.includes('instance-unregistered'),
    { withinMs: 30_000 },
  );
  const lines = told.split('\n');
  expect(lines[1]).toMatch(`instance-registered  failing  one  ${endpoint}  from 127.0.0.1`);
  expect(lines[2]).toMatch(
    /instance-unregistered {2}failing {2}one {2}exit-code exited 3 {2}from 127\.0\.0\.1$/,
  );

  const json = (await runReg(registry.url, 'history', 'failing', '--json')).split('\n');
  const entries = json.map((line) => JSON.parse(line) as HistoryEntry);
  expect(entries[1]).toMatchObject({ owner: 'systemd:failing.service', from: '127.0.0.1' });
  const position = `${await epochOf(registry.url)}.${entries[1]?.revision}`;
  const later = await runReg(registry.url, 'history', '--after', position, '--json');
  expect(later.split('\n').map((line) => JSON.parse(line).kind)).toEqual([
    'instance-unregistered',
    'service-removed',
  ]);
});

const epochOf = async (registry: string) =>
  ((await (await fetch(`${registry}/v1/services`)).json()) as { epoch: string }).epoch;

const registryToken = 'operators-token-of-the-tests-of-32-bytes-and-more';
const headers = { authorization: `Bearer ${registryToken}`, 'content-type': 'application/json' };
const credentials = { REG_REGISTRY_TOKEN: registryToken };

/** From an address of its own, which claims another. @returns the status */
function registerFrom(localAddress: string, registry: string): Promise<number> {
  const body = JSON.stringify({
    url: '/tickets',
    endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001/' }],
    authorizedRoles: [],
    lease: 'none',
  });
  return new Promise((resolve, reject) => {
    const lies = { 'X-Forwarded-For': '203.0.113.9', 'X-Reg-Client-Address': '203.0.113.9' };
    const sent = request(`${registry}/v1/services/tickets/instances/one`, {
      method: 'PUT',
      localAddress,
      headers: { ...headers, ...lies },
    });
    sent.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const registeredFrom = async (registry: string) => {
  const reply = await fetch(`${registry}/v1/history?service=tickets`, { headers });
  const { entries } = (await reply.json()) as { entries: HistoryEntry[] };
  return entries.at(-1);
};

// Story: behind the gateway every registration came from 127.0.0.1, the gateway's own socket.
test("behind a gateway's path, who registered is named by the address that the gateway saw", async () => {
  await using folder = await temporaryFolder();
  const withPath = { ...credentials, REG_REGISTRY_PATH: '/registry' };
  await using stack = await startStack(join(folder.path, 'one'), withPath);
  expect(await registerFrom('127.0.0.7', `${stack.gateway}/registry`)).toBe(201);
  expect(await registeredFrom(stack.registry)).toMatchObject({ by: 'operator', from: '127.0.0.7' });
});

test('so it is across the network, where the gateway has the operator’s token', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(join(folder.path, 'registry'), 0, credentials);
  const withPath = { ...credentials, REG_REGISTRY_PATH: '/registry' };
  await using gateway = await startGateway(join(folder.path, 'gateway'), registry.url, withPath);
  expect(await registerFrom('127.0.0.7', `${gateway.url}/registry`)).toBe(201);
  expect(await registeredFrom(registry.url)).toMatchObject({ by: 'operator', from: '127.0.0.7' });
});
