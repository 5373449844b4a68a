// Several registries over a set of three members, each behind lines of its own, under whatever may befall them at
// random; and then whether all that was answered is so. `REG_TEST_SEED` runs one seed again: the same choices, though
// not at the same moments.
import type { Snapshot } from '@reg/client';
import type { HistoryEntry, HistoryPage, Instance } from '@reg/schema';
import { mongo } from 'mongoose';
import { expect, test } from 'vitest';
import { createRandom, type Random } from '../../packages/registry/src/testing/random.ts';
import { inOrder } from '../../packages/registry/src/testing/replay.ts';
import { eventually } from '../support/eventually.ts';
import { hasMongod, startReplicaSet } from '../support/mongod.ts';
import { skipWithout } from '../support/part.ts';
import { runProcess } from '../support/process.ts';
import { seedsUpTo } from '../support/random.ts';
import { ask } from '../support/random-faults/ask.ts';
import { troubleLines, troubleMembers, troubleProcesses } from '../support/random-faults/faults.ts';
import { startFaultyRegistry } from '../support/random-faults/faulty-registry.ts';
import { type Follower, follow } from '../support/random-faults/follower.ts';
import { createHandMade } from '../support/random-faults/hand-made.ts';
import { findingsInHistory } from '../support/random-faults/history-findings.ts';
import { createLogbook } from '../support/random-faults/logbook.ts';
import { createPathMoves } from '../support/random-faults/path-moves.ts';
import { createRegistrant, type World } from '../support/random-faults/registrants.ts';
import { createRivals } from '../support/random-faults/rivals.ts';
import { count } from '../support/size.ts';
import { reg } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const withMongod = test.skipIf(skipWithout('mongod', hasMongod));
/** `REG_TEST_TROUBLED_MS` has it, to look for longer. */
const troubledMs = Number(process.env.REG_TEST_TROUBLED_MS) || count({ reduced: 10_000, whole: 30_000 });
const agreedWithinMs = 90_000;
const serviceCount = 4;
const moved = ['moved-0', 'moved-1'] as const;

async function read<Reply>(url: string): Promise<Reply> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Reply;
}

/** @param after a position: what came first of all is told of from there */
async function historyOf(registry: string, after: string): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  for (let next = after; ; ) {
    const page = await read<HistoryPage>(`${registry}/v1/history?limit=1000&after=${next}`);
    if (page.entries.length === 0) return entries;
    entries.push(...page.entries);
    next = page.next;
  }
}

/** Without positions: that of one registry may be of later changes that mean nothing. */
function listingOf(snapshot: Snapshot): string[] {
  return inOrder(snapshot).services.flatMap(({ instances, ...definition }) => [
    textOf(definition),
    ...instances.map((instance) => `${definition.name} ${textOf(instance)}`),
  ]);
}

/** Whatever the order of its members. */
function textOf(value: object): string {
  return JSON.stringify(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** The first of what is not the same. */
function differenceOf(what: string, one: readonly string[], other: readonly string[]): string[] {
  const length = Math.max(one.length, other.length);
  const index = Array.from({ length }, (_, at) => one[at] === other[at]).indexOf(false);
  return index < 0 ? [] : [`${what}: ${one[index]} and ${other[index]}`];
}

async function registerForGood(registry: string, service: string, port: number): Promise<string> {
  const answer = await ask('PUT', `${registry}/v1/services/${service}/instances/stays`, {
    body: {
      url: `/${service}`,
      endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
      authorizedRoles: [],
      lease: 'none',
    },
  });
  if (answer.outcome !== 'done') throw new Error(`${service} cannot be registered: ${answer.code}`);
  return `${answer.body.epoch}.${answer.body.revision}`;
}

function createClients(world: World, randomOfOne: () => Random) {
  const registrants = Array.from({ length: 20 }, (_, index) => {
    const service = `service-${index % serviceCount}`;
    world.roles.set(service, 'first');
    return createRegistrant({
      service,
      id: `i${index}`,
      port: 40_000 + index,
      kind: index < 8 ? 'owned' : index < 14 ? 'left' : 'kept',
      defines: index < serviceCount,
      isDeletedByHand: index === 6 || index === 7,
      random: randomOfOne(),
      world,
    });
  });
  const handMade = [0, 1].map((index) => {
    const service = `by-hand-${index}`;
    return { service, ...createHandMade({ service, port: 41_000 + index, random: randomOfOne(), world }) };
  });
  const rivals = [0, 1].map((index) => {
    const name = { service: 'contested', id: `c${index}` };
    return { ...name, ...createRivals({ ...name, port: 42_000 + index, random: randomOfOne, world }) };
  });
  const moves = createPathMoves(moved, randomOfOne(), world);

  const deletedByHand = new Set(
    registrants.filter((one) => one.isDeletedByHand).map(({ service, id }) => `${service}/${id}`),
  );

  return {
    registrants,
    /**
     * Which generation somebody deleted by hand is known to the registries that ran then. Another one, started since,
     * lists for a moment what the others refuse: a run that one granted less to, which was behind.
     */
    isToldTheSame: ({ service, instanceId }: HistoryEntry) => !deletedByHand.has(`${service}/${instanceId}`),
    run: (stopped: () => boolean) =>
      allEnded([...registrants, ...handMade, ...rivals, moves].map((one) => one.run(stopped))),
    keep: (stopped: () => boolean) => allEnded(registrants.map((one) => one.keep(stopped))),
    /** What of the answers is not so. */
    findings({ services }: Snapshot): string[] {
      const serviceOf = (wanted: string) => services.find(({ name }) => name === wanted);
      const instancesOf = (service: string): readonly Instance[] => serviceOf(service)?.instances ?? [];
      const instanceOf = (service: string, id: string) =>
        instancesOf(service).find(({ instanceId }) => instanceId === id);
      const findings = [
        ...registrants.flatMap(({ service, id, kind, acknowledged }) => [
          ...acknowledged.contradictions,
          acknowledged.faultOf(instanceOf(service, id), kind === 'left'),
        ]),
        ...handMade.map(({ service, faultOf }) => faultOf(instancesOf(service))),
        ...rivals.flatMap(({ service, id, findings }) => findings(instanceOf(service, id))),
        moves.faultOf((service) => serviceOf(service)?.url),
      ];
      return findings.filter((finding) => finding !== undefined);
    },
  };
}

withMongod.each(seedsUpTo(count({ reduced: 1, whole: 10 })))(
  'seed %i: whatever befalls registries and database, all that was answered is so, and all agree',
  async (seed) => {
    await using folder = await temporaryFolder();
    await using replicaSet = await startReplicaSet({ members: 3 });
    const members = replicaSet.members.map(({ url }) => url);
    await using one = await startFaultyRegistry(members, folder.path);
    await using two = await startFaultyRegistry(members, folder.path);
    await using three = await startFaultyRegistry(members, folder.path);
    const registries = [one, two, three];
    await using followers = await followAll(registries.map(({ url }) => url));
    const client = new mongo.MongoClient(replicaSet.url, {
      serverSelectionTimeoutMS: 5_000,
      socketTimeoutMS: 10_000,
      writeConcern: { w: 'majority', journal: true },
    });
    await using _client = { [Symbol.asyncDispose]: () => client.close() };
    const logbook = createLogbook();
    const services: World['services'] = client.db('reg').collection('services');
    const random = createRandom(seed);
    const randomOfOne = () => createRandom(random.below(2 ** 32));
    const clients = createClients({ registries, services, roles: new Map(), logbook }, randomOfOne);
    const beginning = await registerForGood(one.url, 'stays', 43_000);
    for (const [index, service] of moved.entries()) await registerForGood(one.url, service, 43_001 + index);

    const end = performance.now() + troubledMs;
    const isOver = () => performance.now() > end;
    const lane = () => ({ random: randomOfOne(), stopped: isOver, logbook });
    await allEnded([
      clients.run(isOver),
      troubleProcesses(registries, lane()),
      troubleLines(registries, lane()),
      troubleMembers(replicaSet, lane()),
    ]);
    logbook.fault('all is mended');

    let isRead = false;
    const keeping = clients.keep(() => isRead);
    try {
      let findings: readonly string[] = [];
      await eventually(
        async () => {
          findings = await lookAround().catch((error: unknown) => [String(error)]);
        },
        () => findings.length === 0,
        { withinMs: agreedWithinMs },
      ).catch((cause: unknown) => {
        throw new Error(`seed ${seed}:\n${findings.join('\n')}\n\n${logbook.about(findings)}`, { cause });
      });
      const verified = await runProcess('node', [reg, 'verify', '--store', replicaSet.urlOf('reg')]);
      expect(verified, `seed ${seed}`).toMatchObject({ code: 0 });
    } finally {
      isRead = true;
      await keeping;
    }

    /** What is not so, or not yet. */
    async function lookAround(): Promise<string[]> {
      const snapshots = await Promise.all(registries.map(({ url }) => read<Snapshot>(`${url}/v1/snapshot`)));
      const histories = (await Promise.all(registries.map(({ url }) => historyOf(url, beginning)))).map(
        (entries) => entries.filter(clients.isToldTheSame),
      );
      const listings = snapshots.map(listingOf);
      const [listing = [], ...otherListings] = listings;
      const [history = [], ...otherHistories] = histories.map((entries) => entries.map(textOf));
      return [
        ...otherListings.flatMap((other) => differenceOf('two list', listing, other)),
        ...otherHistories.flatMap((other) => differenceOf('two remember', history, other)),
        ...followers.all.flatMap((follower, index) => [
          ...follower.findings,
          ...differenceOf('who follows holds', heldBy(follower), listings[index] ?? []),
        ]),
        ...findingsInHistory(histories[0] ?? [], clients.registrants),
        ...snapshots.slice(0, 1).flatMap(clients.findings),
      ];
    }
  },
  troubledMs + 4 * agreedWithinMs,
);

function heldBy(follower: Follower): string[] {
  const held = follower.held();
  return held ? listingOf(held) : [];
}

async function followAll(registries: readonly string[]) {
  const all = registries.map(follow);
  return {
    all,
    async [Symbol.asyncDispose]() {
      for (const one of all) await one[Symbol.asyncDispose]();
    },
  };
}

/** Nobody goes on while all else is taken down. @throws the first of what went wrong */
async function allEnded(works: readonly Promise<unknown>[]): Promise<void> {
  for (const ended of await Promise.allSettled(works)) if (ended.status === 'rejected') throw ended.reason;
}
