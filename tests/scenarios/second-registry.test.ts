// A spare registry and several gateways. With their state in memory the second registry begins with nothing:
// services bring themselves there, and a gateway keeps what it knows for one lease period meanwhile.
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { startLoad } from '../support/load.ts';
import { run } from '../support/run.ts';
import { listed, reg, startGateway, startRegistry, startTickets, token } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const caller = async () => `Bearer ${await token({ roles: ['tickets-query'] })}`;
const two = (all: readonly unknown[]) => all.length === 2;

/** A lease ends within that, and silence is noticed: 15 s on a stream, then 3 s for a request. */
const silence = { withinMs: 40_000 };

test.each([
  ['SIGKILL', 'its connections break'],
  ['SIGSTOP', 'its connections stay, and nothing is answered'],
] as const)(
  'the first registry gets %s, %s: 0 requests fail, all meet at the second',
  async (signal, _how) => {
    await using folder = await temporaryFolder();
    const port = await freePort();
    await using first = await startRegistry(`${folder.path}/first`, port);
    await using second = await startRegistry(`${folder.path}/second`);
    const both = `${first.url},${second.url}`;
    await using gateway = await startGateway(`${folder.path}/gateway`, both);
    await using _one = await startTickets(both);
    await using _other = await startTickets(both);
    await eventually(() => listed(first.url), two);
    const authorization = await caller();
    /** Who answers now: more at once than there are instances, since they are asked in turn. */
    const answering = async () => {
      const get = () => fetch(`${gateway.url}/tickets`, { headers: { authorization } });
      const all = await Promise.all(Array.from({ length: 6 }, get));
      return all.map(({ headers }) => headers.get('x-served-by'));
    };
    await eventually(answering, (all) => !all.includes(null));
    const load = startLoad(`${gateway.url}/tickets`, { authorization, perSecond: 100 });

    first.process.kill(signal);
    await eventually(() => listed(second.url), two, { withinMs: 10_000 });
    expect(await connectedAt(second.url, silence)).toHaveLength(1);
    await using third = await startTickets(both);
    const thirdAnswers = (all: readonly (string | null)[]) => all.includes(`127.0.0.1-${third.port}`);
    await eventually(answering, thirdAnswers, silence);

    // It comes back, with nothing or with what it knew: all meet there again, still without a failed request.
    if (signal === 'SIGSTOP') first.process.kill('SIGCONT');
    await using _again = signal === 'SIGKILL' ? await startRegistry(`${folder.path}/first`, port) : undefined;
    await eventually(
      () => listed(first.url),
      (all) => all.length === 3,
      silence,
    );
    expect(await connectedAt(first.url, silence)).toHaveLength(1);
    await eventually(
      () => listed(second.url),
      (all) => all.length === 0,
      silence,
    );
    await eventually(answering, thirdAnswers);
    const { failures, answers } = await load.stop();
    expect(failures).toEqual([]);
    expect(answers.length).toBeGreaterThan(500);
  },
);

test('a gateway without any registry serves on, and starts again from what it kept', async () => {
  await using folder = await temporaryFolder();
  await using first = await startRegistry(`${folder.path}/first`);
  await using second = await startRegistry(`${folder.path}/second`);
  const both = `${first.url},${second.url}`;
  await using tickets = await startTickets(first.url);
  const authorization = await caller();
  const asked = (url: string) => fetch(`${url}/tickets`, { headers: { authorization } });
  {
    await using gateway = await startGateway(`${folder.path}/gateway`, both);
    await eventually(
      () => asked(gateway.url),
      ({ status }) => status === 200,
    );
    for (const { process } of [first, second]) {
      process.kill('SIGKILL');
      await process.ended;
    }
    expect((await asked(gateway.url)).status).toBe(200);
  }
  await using again = await startGateway(`${folder.path}/gateway`, both);
  const answer = await asked(again.url);
  expect([answer.status, answer.headers.get('x-served-by')]).toEqual([200, `127.0.0.1-${tickets.port}`]);
});

test.each(['SIGKILL', 'SIGSTOP'] as const)(
  'commands of reg go on to the second registry (%s)',
  async (signal) => {
    await using folder = await temporaryFolder();
    await using first = await startRegistry(`${folder.path}/first`);
    await using second = await startRegistry(`${folder.path}/second`);
    first.process.kill(signal);
    const command = async (...args: string[]) => {
      const env = {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        REG_REGISTRY: `${first.url},${second.url}`,
      };
      return (await run([process.execPath, reg, ...args], { env })).stdout;
    };
    await command('register', 'tickets', '--url', '/tickets', '--endpoint', 'http://127.0.0.1:9/tickets');
    expect(await listed(second.url)).toHaveLength(1);
    expect(await command('unregister', 'tickets')).toMatch(/^unregistered {2}tickets/);
    expect(await listed(second.url)).toEqual([]);
    first.process.kill('SIGCONT');
  },
);

test('two gateways over one registry: both are waited for, and who does not answer is named, then forgotten', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(`${folder.path}/registry`);
  await using one = await startGateway(`${folder.path}/one`, registry.url);
  await using other = await startGateway(`${folder.path}/other`, registry.url);
  await using tickets = await startTickets(registry.url);
  await eventually(() => connectedAt(registry.url), two);
  const names = await connectedAt(registry.url);
  const id = `127.0.0.1-${tickets.port}`; // another id could not have its address
  let paths = 0;
  const join = async (): Promise<{ path: string; missing: string[] }> => {
    const path = `/path-${++paths}`;
    const reply = await fetch(
      `${registry.url}/v1/services/service${paths}/instances/${id}?waitFor=gateways&wait=2s`,
      {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          url: path,
          endpoints: [{ type: 'http', url: `http://127.0.0.1:${tickets.port}/tickets` }],
          authorizedRoles: [],
          access: 'public',
          lease: 'none',
        }),
      },
    );
    return { path, ...((await reply.json()) as { missing: string[] }) };
  };
  const { path, missing } = await join();
  expect(missing).toEqual([]);
  for (const { url } of [one, other]) expect((await fetch(url + path)).status).toBe(200);

  other.process.kill('SIGSTOP');
  const late = await join();
  expect(late.missing).toHaveLength(1);
  expect(names).toContain(late.missing[0]);
  expect((await fetch(one.url + late.path)).status).toBe(200);

  other.process.kill('SIGKILL');
  await other.process.ended;
  await eventually(
    () => connectedAt(registry.url),
    (all) => all.length === 1 && all[0] !== late.missing[0],
  );
  expect((await join()).missing).toEqual([]);
});

/** Names of the gateways that follow a registry. */
async function connectedAt(registry: string, { withinMs = 10_000 } = {}): Promise<string[]> {
  return eventually(
    async () => {
      const { gateways } = (await (await fetch(`${registry}/v1/health`)).json()) as {
        gateways: { id: string }[];
      };
      return gateways.map(({ id }) => id);
    },
    (all) => all.length > 0,
    { withinMs },
  );
}
