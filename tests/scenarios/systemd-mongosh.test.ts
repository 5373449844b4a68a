// The unit of the original story, only its paths replaced: systemd starts the app, and a line of the database's
// own shell lists it. No `reg`, no client; the registries follow the database.
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { hasMongod, startReplicaSet } from '../support/mongod.ts';
import { skipWithout } from '../support/part.ts';
import { listed, root, startGateway, startRegistry, token } from '../support/stack.ts';
import { hasSystemd, startUserSystemd } from '../support/systemd.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const mongosh = createRequire(import.meta.url).resolve('mongosh/bin/mongosh.js');
const missing = [
  skipWithout('a systemd --user of our own', hasSystemd),
  skipWithout('mongod', hasMongod),
].some(Boolean);

const name = 'Tickets Query Service';

function unitText(database: string, port: number): string {
  const shell = `${process.execPath} ${mongosh} ${database} --quiet --norc --eval`;
  const document =
    `{ name: "${name}", url: "/tickets", ` +
    `endpoints: [{ type: "http", url: "http://127.0.0.1:${port}/tickets" }], authorizedRoles: ["tickets-query"] }`;
  return `[Unit]
Description=${name}

[Service]
Environment=HOST=127.0.0.1 PORT=${port}
ExecStart=${process.execPath} ${root}apps/tickets/dist/app-only.js
ExecStartPost=${shell} 'db.services.insert(${document})'
ExecStopPost=${shell} 'db.services.remove({ name: "${name}" })'
`;
}

test.skipIf(missing)('a unit that lists itself by mongosh: started, stopped, killed', async () => {
  await using folder = await temporaryFolder();
  await using replicaSet = await startReplicaSet();
  const database = replicaSet.urlOf('test');
  await using registry = await startRegistry(join(folder.path, 'registry'), 0, { REG_STORE: database });
  await using gateway = await startGateway(folder.path, registry.url);
  await using systemd = await startUserSystemd();
  const port = await freePort();
  await writeFile(join(systemd.unitFolder, 'tickets.service'), unitText(database, port));
  await systemd.systemctl('daemon-reload');
  const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
  const answers = (status: number) =>
    eventually(
      async () => (await fetch(`${gateway.url}/tickets`, { headers: { authorization } })).status,
      (last) => last === status,
    );
  await answers(404);

  await systemd.systemctl('start', 'tickets.service'); // until its ExecStartPost is done
  await answers(200);
  expect(await listed(registry.url, name)).toMatchObject([{ lease: 'none', leaseUntil: null, state: 'up' }]);
  await systemd.systemctl('stop', 'tickets.service');
  await answers(404);

  await systemd.systemctl('start', 'tickets.service');
  await answers(200);
  const pid = await systemd.systemctl('show', '--property=MainPID', '--value', 'tickets.service');
  process.kill(Number(pid), 'SIGKILL');
  await answers(404);
  expect(await listed(registry.url, name)).toEqual([]);
});
