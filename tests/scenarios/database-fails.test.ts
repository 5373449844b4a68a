// A real replica set, registries and gateways, each in its process, and what may happen to them.
import { type ChangeSet, type Snapshot, watch } from '@reg/client';
import type { RegistryHealth as Health } from '@reg/schema';
import { mongo } from 'mongoose';
import { expect, test } from 'vitest';
import { startDatabaseLine } from '../support/database-line.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningLoad, startLoad } from '../support/load.ts';
import { hasMongod, type ReplicaSet, startReplicaSet } from '../support/mongod.ts';
import { skipWithout } from '../support/part.ts';
import { type StartedProcess, startProcess } from '../support/process.ts';
import { awayMs, count } from '../support/size.ts';
import { listed, root, type Stack, startGateway, startRegistry, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const withMongod = test.skipIf(skipWithout('mongod', hasMongod));
const services = 10;
const leaseMs = 3_000;
const requestsPerSecond = 5;

interface Addressed {
  readonly url: string;
}

const over = (store: string) => ({ REG_STORE: store });
const portOf = (url: string) => Number(new URL(url).port);

async function startServices(registries: string): Promise<StartedProcess> {
  const process = await startProcess(
    'node',
    [`${root}tests/support/many-services.mjs`, String(services), String(leaseMs)],
    { env: { REG_REGISTRY: registries } },
  );
  await process.printed(/registered/);
  return process;
}

const healthOf = async (registry: string): Promise<Health> =>
  (await (await fetch(`${registry}/v1/health`)).json()) as Health;

/** All that a registry lists, as `service instance generation`. */
async function everything(registry: string): Promise<string[]> {
  const snapshot = (await (await fetch(`${registry}/v1/snapshot`)).json()) as Snapshot;
  return snapshot.services
    .flatMap(({ name, instances }) =>
      instances.map(({ instanceId, generation }) => `${name} ${instanceId} ${generation}`),
    )
    .sort();
}

const oneOfEach = (all: readonly string[]) =>
  all.filter((line) => line.startsWith('service-')).length === services;

/** Each service, through each gateway, all the time. */
function loadThrough(gateways: readonly Addressed[]) {
  const loads: RunningLoad[] = gateways.flatMap(({ url }) =>
    Array.from({ length: services }, (_, index) =>
      startLoad(`${url}/service-${index}`, { authorization: '', perSecond: requestsPerSecond }),
    ),
  );
  const answered = () => loads.reduce((sum, load) => sum + load.answered(), 0);
  return {
    /** Waits for as many answers as come in that time. */
    async goesOnFor(ms: number) {
      const enough = answered() + (loads.length * requestsPerSecond * ms) / 1_000;
      await eventually(answered, (all) => all >= enough, { withinMs: 3 * ms + 10_000 });
    },
    async stop(): Promise<string[]> {
      return (await Promise.all(loads.map((load) => load.stop()))).flatMap(({ failures }) => [...failures]);
    },
  };
}

/** Every change from now on to the services, wherever it is told. */
async function followServices(registries: string) {
  const stop = new AbortController();
  const kinds: string[] = [];
  const items = watch({ registry: registries, signal: stop.signal })[Symbol.asyncIterator]();
  await items.next(); // what there is already
  const running = (async () => {
    for (;;) {
      const { value, done } = await items.next();
      if (done) return;
      kinds.push(...toldOf(value));
    }
  })();
  return {
    kinds,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running.catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
      });
    },
  };
}

function toldOf(item: Snapshot | ChangeSet): string[] {
  if (!('changes' in item)) return []; // another registry begins with all there is
  return item.changes.flatMap((change) =>
    'instanceId' in change && change.service.startsWith('service-')
      ? [`${change.kind} ${change.service}`]
      : [],
  );
}

/** Registers one instance after the other, at one registry after the other. */
function keepRegistering(registries: readonly Addressed[]) {
  const acknowledged: string[] = [];
  const others: string[] = [];
  let stopped = false;
  const running = (async () => {
    for (let index = 0; !stopped; index++) {
      const { url } = registries[index % registries.length] as Addressed;
      const body = {
        url: '/extra',
        endpoints: [{ type: 'http', url: `http://127.0.0.1:${20_000 + index}` }],
        authorizedRoles: [],
        lease: 'none',
      };
      const answer = await fetch(`${url}/v1/services/extra/instances/extra-${index}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }).catch(() => undefined);
      if (answer?.ok) acknowledged.push(`extra-${index}`);
      else if (answer) others.push(((await answer.json()) as { code: string }).code);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    /** Waits until more are acknowledged. */
    async goesOn() {
      const before = acknowledged.length;
      await eventually(() => acknowledged.length > before + 5, undefined, { withinMs: 40_000 });
    },
    async stop() {
      stopped = true;
      await running;
      return { acknowledged, others };
    },
  };
}

const primaryIsGone = (replicaSet: ReplicaSet, url: string) =>
  eventually(
    () => replicaSet.primary(),
    (primary) => primary.url !== url,
    { withinMs: 30_000 },
  );

withMongod(
  'primary, registry, then both are killed: no request fails, no lease and no answered registration is lost',
  async () => {
    await using folder = await temporaryFolder();
    await using replicaSet = await startReplicaSet({ members: 3 });
    const env = over(replicaSet.urlOf('reg'));
    const ups = [await startStack(folder.path, env), await startStack(folder.path, env)];
    await using _all = {
      async [Symbol.asyncDispose]() {
        for (const up of ups) await up[Symbol.asyncDispose]();
      },
    };
    const [one = '', two = ''] = ups.map(({ registry }) => registry);
    await using running = await startServices(`${one},${two}`);
    for (const { gateway } of ups) {
      for (let index = 0; index < services; index++) {
        await eventually(async () => (await fetch(`${gateway}/service-${index}`)).status === 200);
      }
    }
    const before = (await everything(one)).filter((line) => line.startsWith('service-'));
    expect(before).toHaveLength(services);
    const registering = keepRegistering([{ url: one }, { url: two }]);
    await using changes = await followServices(`${one},${two}`);
    const loads = ups.map(({ gateway }) => loadThrough([{ url: gateway }]));
    const goOnFor = (ms: number, at = loads) => Promise.all(at.map((load) => load.goesOnFor(ms)));
    await registering.goesOn();

    async function killPrimary() {
      const primary = await replicaSet.primary();
      primary.process.kill('SIGKILL');
      await primary.process.ended;
      return primary;
    }
    /** A registry, and the gateway that lives in the same process: from here on only the other one is asked. */
    async function killUp(index: number): Promise<Stack> {
      expect(await loads[index]?.stop()).toEqual([]);
      const killed = ups[index] as Stack;
      killed.process.kill('SIGKILL');
      await killed.process.ended;
      return killed;
    }
    async function restartUp(index: number, { gateway, registry }: Stack) {
      const ports = { gateway: portOf(gateway), registry: portOf(registry) };
      ups[index] = await startStack(folder.path, env, ports);
      loads[index] = loadThrough([{ url: gateway }]);
    }

    const primary = await killPrimary();
    await registering.goesOn();
    await goOnFor(leaseMs);
    await primary.restart();

    const first = await killUp(0);
    await registering.goesOn();
    await goOnFor(2 * leaseMs, loads.slice(1));
    await restartUp(0, first);

    await eventually(() => replicaSet.primary());
    const next = await killPrimary();
    const second = await killUp(1);
    await registering.goesOn();
    await goOnFor(2 * leaseMs, loads.slice(0, 1));
    await next.restart();
    await restartUp(1, second);
    await registering.goesOn();
    await goOnFor(leaseMs);

    const { acknowledged, others } = await registering.stop();
    for (const load of loads) expect(await load.stop()).toEqual([]);
    expect(others.filter((code) => code !== 'store_unavailable')).toEqual([]);
    const all = await eventually(
      () => Promise.all([everything(one), everything(two)]),
      ([ofOne, ofTwo]) => JSON.stringify(ofOne) === JSON.stringify(ofTwo),
    );
    const ids = new Set(all[0].map((line) => line.split(' ')[1]));
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
    expect(all[0].filter((line) => line.startsWith('service-'))).toEqual(before);
    expect(changes.kinds).toEqual([]);
    console.log(`${acknowledged.length} registrations acknowledged, ${others.length} refused`);
    running.kill('SIGTERM');
  },
  240_000,
);

withMongod(
  'the primary stands still and wakes up: nothing is lost, all agree',
  async () => {
    await using folder = await temporaryFolder();
    await using replicaSet = await startReplicaSet({ members: 3 });
    const store = replicaSet.urlOf('reg');
    await using one = await startRegistry(folder.path, 0, over(store));
    await using two = await startRegistry(folder.path, 0, over(store));
    await using gateway = await startGateway(folder.path, `${one.url},${two.url}`);
    await using _running = await startServices(`${one.url},${two.url}`);
    await eventually(() => everything(two.url), oneOfEach);
    for (let index = 0; index < services; index++) {
      await eventually(async () => (await fetch(`${gateway.url}/service-${index}`)).status === 200);
    }
    await using changes = await followServices(`${two.url},${one.url}`);
    const registering = keepRegistering([one, two]);
    const load = loadThrough([gateway]);

    const paused = await replicaSet.primary();
    paused.process.kill('SIGSTOP');
    await primaryIsGone(replicaSet, paused.url);
    await registering.goesOn();
    await load.goesOnFor(count({ reduced: 2 * leaseMs, whole: 30_000 }));
    paused.process.kill('SIGCONT');
    await registering.goesOn();
    await load.goesOnFor(2 * leaseMs);

    const { acknowledged, others } = await registering.stop();
    const failures = await load.stop();
    expect(changes.kinds).toEqual([]);
    expect(failures).toEqual([]);
    expect(others.filter((code) => code !== 'store_unavailable')).toEqual([]);
    const [all] = await eventually(
      () => Promise.all([everything(one.url), everything(two.url)]),
      ([ofOne, ofTwo]) => JSON.stringify(ofOne) === JSON.stringify(ofTwo),
    );
    const ids = new Set(all.map((line) => line.split(' ')[1]));
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
  },
  240_000,
);

withMongod(
  'a registry is parted from the database for longer than the leases: nobody flaps, it is even again at once',
  async () => {
    await using folder = await temporaryFolder();
    await using replicaSet = await startReplicaSet();
    await using line = await startDatabaseLine(replicaSet.members[0]?.url ?? '');
    await using parted = await startRegistry(folder.path, 0, over(line.urlOf('reg')));
    await using other = await startRegistry(folder.path, 0, over(replicaSet.urlOf('reg')));
    await using gateway = await startGateway(folder.path, `${parted.url},${other.url}`);
    await using _running = await startServices(`${parted.url},${other.url}`);
    await eventually(() => everything(other.url), oneOfEach);
    for (let index = 0; index < services; index++) {
      await eventually(async () => (await fetch(`${gateway.url}/service-${index}`)).status === 200);
    }
    await using changes = await followServices(other.url);
    const load = loadThrough([gateway]);

    line.cut();
    await load.goesOnFor(count({ reduced: 3 * leaseMs, whole: 30_000 }));
    expect((await healthOf(parted.url)).status).toBe('degraded');
    const registering = keepRegistering([other]);
    await registering.goesOn();
    await registering.stop();
    line.heal();
    await eventually(
      () => Promise.all([everything(parted.url), everything(other.url)]),
      ([ofParted, ofOther]) => JSON.stringify(ofParted) === JSON.stringify(ofOther),
      { withinMs: (2 * leaseMs) / 3 },
    );
    await load.goesOnFor(2 * leaseMs);
    expect(await load.stop()).toEqual([]);
    expect(changes.kinds).toEqual([]);
  },
  240_000,
);

withMongod(
  'without a majority, then without a database: gateways route, nobody expires, all is right again by itself',
  async () => {
    await using folder = await temporaryFolder();
    await using replicaSet = await startReplicaSet({ members: 3 });
    const store = replicaSet.urlOf('reg');
    await using one = await startRegistry(folder.path, 0, over(store));
    await using two = await startRegistry(folder.path, 0, over(store));
    const both = `${one.url},${two.url}`;
    await using gateway = await startGateway(folder.path, both);
    await using _running = await startServices(both);
    await eventually(() => everything(two.url), oneOfEach);
    for (let index = 0; index < services; index++) {
      await eventually(async () => (await fetch(`${gateway.url}/service-${index}`)).status === 200);
    }
    await using holds = await startProcess('node', [`${root}tests/support/holds.mjs`, 'the-run'], {
      env: { REG_REGISTRY: both },
    });
    await holds.printed(/registered/);
    await using changes = await followServices(both);
    const load = loadThrough([gateway]);
    const kill = async (members: ReplicaSet['members']) => {
      for (const { process } of members) {
        process.kill('SIGKILL');
        await process.ended;
      }
    };
    const isRight = (health: Health) => health.status === 'ok';

    await kill(replicaSet.members.slice(1));
    holds.kill('SIGKILL'); // it dies unseen, while nobody may expire
    for (const { url } of [one, two]) {
      await eventually(
        () => healthOf(url),
        (health) => health.status === 'degraded',
        { withinMs: 30_000 },
      );
    }
    await load.goesOnFor(3 * leaseMs);
    expect(await listed(one.url, 'holds')).toHaveLength(1);
    expect(await everything(one.url)).toHaveLength(services + 1);
    for (const member of replicaSet.members.slice(1)) await member.restart();
    await eventually(
      () => listed(one.url, 'holds'),
      (all) => all.length === 0,
      { withinMs: 40_000 },
    );
    const client = new mongo.MongoClient(replicaSet.url);
    try {
      const buried = await client.db('reg').collection('tombstones').findOne({ service: 'holds' });
      const writable = await client
        .db('reg')
        .collection('state')
        .findOne({ _id: 'writable' as never });
      // It had its whole second anew, from when the database was writable.
      expect(buried?.goneAt.getTime()).toBeGreaterThanOrEqual(writable?.since.getTime() + 1_000);
    } finally {
      await client.close();
    }
    for (const { url } of [one, two]) await eventually(() => healthOf(url), isRight, { withinMs: 20_000 });

    await kill(replicaSet.members);
    for (const { url } of [one, two]) {
      await eventually(
        () => healthOf(url),
        (health) => health.status === 'degraded',
        { withinMs: 30_000 },
      );
    }
    await load.goesOnFor(awayMs);
    expect(await everything(two.url)).toHaveLength(services);
    for (const member of replicaSet.members) await member.restart();
    const registering = keepRegistering([one, two]);
    await registering.goesOn();
    await registering.stop();
    for (const { url } of [one, two]) await eventually(() => healthOf(url), isRight, { withinMs: 20_000 });
    await load.goesOnFor(2 * leaseMs);
    expect(await load.stop()).toEqual([]);
    expect(changes.kinds).toEqual([]);
  },
  300_000 + 3 * awayMs,
);
