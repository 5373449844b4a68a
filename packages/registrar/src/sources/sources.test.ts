import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { startProcess } from '../../../../tests/support/process.ts';
import { temporaryFolder } from '../../../../tests/support/temporary-folder.ts';
import { parsePolicy } from '../policies/parse-policy.ts';
import { startedByEnvironment } from '../started-by.ts';
import { followDocuments } from './documents.ts';
import { parseSockets, readListeningSockets, socketAt } from './listening-sockets.ts';
import { followPorts } from './ports.ts';
import type { Found } from './source.ts';
import { parseUnits } from './systemd.ts';

test('the kernel’s table: who listens, at which address', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB9 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0
   2: 0100007F:0BB9 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 13 1 0 20 4 30 10 -1
   3: 00000000000000000000000001000000:0BBA 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 14 1 0 100 0 0 10 0
   4: 0000000000000000FFFF00000100007F:0BBB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 15 1 0 100 0 0 10 0
   5: 000080FE00000000FF005450B6AD1DFE:0BBC 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 16 1 0 100 0 0 10 0`;
  expect(parseSockets(table).map(({ address, port, inode }) => `${address} ${port} ${inode}`)).toEqual([
    '127.0.0.1 3001 4711',
    '* 80 12',
    '::1 3002 14',
    '127.0.0.1 3003 15',
    'fe80::5054:ff:fe1d:adb6 3004 16',
  ]);
});

test('a port is an instance while somebody listens there; another socket is another run', async () => {
  let found: readonly Found[] | undefined;
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const source = followPorts(
    { ports: [port] },
    {
      found: (all) => {
        found = all;
      },
      trouble: () => undefined,
    },
  );
  const [first] = await eventually(
    () => found ?? [],
    (all) => all.length === 1,
  );
  expect(socketAt(await readListeningSockets(), '127.0.0.1', port)?.inode).toBe(
    first?.identity?.split('-')[1],
  );
  server.close();
  await eventually(() => found?.length === 0);
  const again = createServer().listen(port, '0.0.0.0');
  const [second] = await eventually(
    () => found ?? [],
    (all) => all.length === 1,
  );
  expect(second?.identity).not.toBe(first?.identity);
  again.close();
  source.close();
});

// Story: another server had taken one of the ports. It counted as an instance that failed, so nobody was started in its
// place; had it passed the checks, it would have been listed and sent requests.
test('of ports for what is started, whoever was not started for the service is a stranger', async () => {
  const stranger = createServer().listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  const listens =
    "require('net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })";
  const startFor = async (service: string) => {
    const env = startedByEnvironment({ owner: 'registrar:here', service });
    const program = await startProcess('node', ['-e', listens], { env });
    const [port] = await program.printed(/^\d+/m);
    return Object.assign(program, { port: Number(port) });
  };
  await using started = await startFor('Tickets Query Service');
  await using ofAnother = await startFor('Query Service');
  let found: readonly Found[] | undefined;
  const ports = [(stranger.address() as AddressInfo).port, started.port, ofAnother.port];
  const source = followPorts(
    { ports, startedFor: 'Tickets Query Service' },
    {
      found: (all) => {
        found = all;
      },
      trouble: () => undefined,
    },
  );
  const all = await eventually(
    () => found,
    (now) => now !== undefined,
  );
  expect(all?.map(({ port }) => port)).toEqual([started.port]);
  source.close();
  stranger.close();
});

test('units as systemctl shows them', () => {
  const shown =
    'Id=tickets@1.service\nMainPID=7\nActiveState=active\nSubState=running\nInvocationID=aa\n\nId=b.service\nMainPID=0\nActiveState=failed\nSubState=failed\nInvocationID=\n';
  expect(parseUnits(shown)).toEqual([
    { id: 'tickets@1.service', activeState: 'active', subState: 'running', invocationId: 'aa', mainPid: 7 },
    { id: 'b.service', activeState: 'failed', subState: 'failed', invocationId: '', mainPid: 0 },
  ]);
});

// Story: a folder named like a document was read as one, which failed, and no document was found any more.
test('documents: each of the service is an instance; one that is wrong is said and hides no other', async () => {
  await using folder = await temporaryFolder();
  await mkdir(join(folder.path, 'documents'));
  const write = (file: string, document: object) =>
    writeFile(join(folder.path, 'documents', file), JSON.stringify(document));
  const parsed = parsePolicy(
    `url: /t\nauthorizedRoles: [a, b]\nruns: { documents: ${folder.path}/documents }`,
    'tickets',
  );
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
  const at = (port: number) => [{ type: 'http', url: `http://127.0.0.1:${port}/t` }];
  await write('one.json', { name: 'tickets', url: '/t', endpoints: at(1), authorizedRoles: ['b', 'a'] });
  await write('two.json', { endpoints: at(2), version: '2' });
  await write('other.json', { name: 'other', url: '/o', endpoints: at(3), authorizedRoles: [] });
  await mkdir(join(folder.path, 'documents', 'old.json'));
  await write('wrong.json', { endpoints: at(4), authorizedRoles: ['z'] });
  let found: readonly Found[] = [];
  let told: string | undefined;
  const source = followDocuments(join(folder.path, 'documents'), parsed.policy, {
    found: (all) => {
      found = all;
    },
    trouble: (trouble) => {
      told = trouble;
    },
  });
  await eventually(() => found.length === 2);
  const versions = () => found.map(({ port, said }) => `${port} ${said?.version}`).sort();
  expect(versions()).toEqual(['1 undefined', '2 2']);
  expect(told).toMatch(/wrong\.json: its url, roles or access are not those of its policy$/);

  // Broken by an edit it stays as it was; mended it is another, deleted it is gone.
  await writeFile(join(folder.path, 'documents', 'two.json'), '{ "endpoints": ');
  await eventually(() => told?.includes('two.json'));
  expect(versions()).toEqual(['1 undefined', '2 2']);
  await write('two.json', { endpoints: at(2), version: 'mended' });
  await eventually(() => versions().includes('2 mended'));
  await rm(join(folder.path, 'documents', 'one.json'));
  await eventually(() => found.length === 1);
  source.close();
});
