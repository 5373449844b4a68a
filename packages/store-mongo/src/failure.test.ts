// What happens to a registry whose line to the database fails. The line is a TCP proxy; the database is real.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createRegistry, createSystemClock, type Registry } from '@reg/registry';
import { isRegError, type RegistrationBody } from '@reg/schema';
import { mongo } from 'mongoose';
import { afterAll, beforeAll, expect } from 'vitest';
import { type DatabaseLine, startDatabaseLine } from '../../../tests/support/database-line.ts';
import { freshName, test } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { createLaterClock } from '../../../tests/support/later-clock.ts';
import { type ReplicaSet, startReplicaSet } from '../../../tests/support/mongod.ts';
import { openMongoStore } from './mongo-store.ts';

let replicaSet: ReplicaSet;

beforeAll(async () => {
  // So small a history that a few megabytes end it, at the next of its checkpoints.
  replicaSet = await startReplicaSet({ more: ['--oplogSize', '1', '--syncdelay', '1'] });
}, 120_000);

afterAll(() => replicaSet?.[Symbol.asyncDispose]());

interface Opened extends AsyncDisposable {
  /** Over a line that can fail. */
  readonly far: Registry;
  readonly near: Registry;
  readonly line: DatabaseLine;
  readonly said: readonly string[];
  readonly database: string;
}

async function openBoth({ clock = createSystemClock() } = {}): Promise<Opened> {
  const database = freshName();
  const line = await startDatabaseLine(replicaSet.members[0]?.url ?? '');
  const said: string[] = [];
  const log = (text: string) => void said.push(text);
  const farStore = await openMongoStore({ url: line.urlOf(database), log, clock });
  const far = createRegistry({ store: farStore, clock });
  const near = createRegistry({ store: await openMongoStore({ url: replicaSet.urlOf(database) }) });
  return {
    far,
    near,
    line,
    said,
    database,
    async [Symbol.asyncDispose]() {
      line.heal();
      await Promise.all([far.close(), near.close()]);
      await line[Symbol.asyncDispose]();
    },
  };
}

function body(port: number, more: Partial<RegistrationBody> = {}): RegistrationBody {
  return {
    url: '/tickets',
    endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
    authorizedRoles: ['reader'],
    lease: 'none',
    ...more,
  };
}

const a = { service: 'tickets', id: 'a' };
const b = { service: 'tickets', id: 'b' };

const idsOf = (registry: Registry) =>
  registry
    .snapshot()
    .services.flatMap(({ instances }) => instances.map(({ instanceId }) => instanceId))
    .sort();

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: unknown) => (isRegError(error) ? error.code : String(error)),
  );

/** Every change from now on, as `kind id`. */
function follow(registry: Registry) {
  const kinds: string[] = [];
  const stop = new AbortController();
  const running = (async () => {
    for await (const { changes } of registry.changes(registry.position(), stop.signal)) {
      for (const change of changes)
        kinds.push(`${change.kind} ${'instanceId' in change ? change.instanceId : ''}`);
    }
  })();
  return {
    kinds,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

// The change stream may tell of it before anybody asks again.
test.each([1, 2])('an insert whose answer is lost %i times is done once', async (times) => {
  await using opened = await openBoth();
  const { far, near, line } = opened;
  await far.register(a, body(3001));
  await eventually(() => idsOf(near).length === 1);
  await using changes = follow(near);

  line.loseAnswers(times, 'insert', 'services');
  const answer = await far.register(b, body(3002, { runId: 'the-run' }));
  expect(line.toLose()).toBeLessThan(times);
  const again = await near.register(b, body(3002, { runId: 'the-run' }));
  expect(again.generation).toBe(answer.generation);

  await near.unregister(a, { force: true });
  await eventually(() => changes.kinds.some((kind) => kind.startsWith('instance-unregistered')));
  expect(changes.kinds.filter((kind) => kind.startsWith('instance-registered'))).toHaveLength(1);
});

test.each([1, 4])('a transaction whose commit is not answered %i times is done once', async (times) => {
  await using opened = await openBoth();
  const { far, near, line } = opened;
  await far.register(a, body(3001));
  await far.register(b, body(3002));
  await eventually(() => idsOf(near).length === 2);
  await using changes = follow(near);

  line.loseAnswers(times, 'commitTransaction');
  await far.unregister(a, { force: true });
  line.loseAnswers(0);
  expect(idsOf(far)).toEqual(['b']);
  await near.unregister(b, { force: true });
  await eventually(() => changes.kinds.length > 1);
  expect(changes.kinds.slice(0, 2)).toEqual(['instance-unregistered a', 'instance-unregistered b']);
});

test('a transaction that breaks before its commit is done again', async () => {
  await using opened = await openBoth();
  const { far, near, line } = opened;
  await far.register(a, body(3001));
  line.loseAnswers(1, 'delete', 'services');
  await far.unregister(a, { force: true });
  expect(line.toLose()).toBe(0);
  expect(idsOf(far)).toEqual([]);
  await eventually(() => idsOf(near).length === 0);
});

test('changes whose connection breaks once are followed on, none is missing, and nobody is told', async () => {
  await using opened = await openBoth();
  const { far, near, line, said } = opened;
  await near.register(a, body(3001));
  await eventually(() => idsOf(far).length === 1);
  await using changes = follow(far);
  line.loseAnswers(1, 'getMore', '$cmd.aggregate');
  await near.register(b, body(3002));
  await eventually(() => line.toLose() === 0 && changes.kinds.length === 1);
  await near.unregister(b, { force: true });
  await eventually(() => changes.kinds.length > 1);
  expect(changes.kinds).toEqual(['instance-registered ', 'instance-unregistered b']);
  expect(said).toEqual([]);
});

test('cut off, a registry reads on, answers store_unavailable, and catches up; what it gave up is not done later', async () => {
  await using opened = await openBoth();
  const { far, near, line } = opened;
  await far.register(a, body(3001));
  await using changes = follow(far);
  line.cut();
  const answers = Array.from({ length: 3 }, (_, index) =>
    codeOf(far.register({ service: 'tickets', id: `late-${index}` }, body(3010 + index))),
  );
  await near.register(b, body(3002));
  expect(idsOf(far)).toEqual(['a']);
  expect(await Promise.all(answers)).toEqual(Array(3).fill('store_unavailable'));
  expect(far.health().reasons.join()).toMatch(/takes no write.*changes of the database are not seen/);

  line.heal();
  await eventually(() => idsOf(far).includes('b'));
  await eventually(() => far.health().status === 'ok'); // by itself
  await far.register({ service: 'tickets', id: 'c' }, body(3003));
  expect(idsOf(far)).toEqual(['a', 'b', 'c']);
  await eventually(() => idsOf(near).length === 3);
  expect(changes.kinds).toHaveLength(2); // it went on where it was: nothing compacted, nothing twice
});

// Story: the driver of its own waits 40 s for a server that stands still, longer than anybody waits for us.
test('connections on which nothing passes any more are given up, and the write comes through on new ones', async () => {
  await using opened = await openBoth();
  const { far, near, line } = opened;
  const names = Array.from({ length: 16 }, (_, index) => ({ service: 'tickets', id: `${index}` }));
  await far.register(a, body(3001));
  await Promise.all(names.map((name, index) => far.register(name, body(4000 + index))));
  const end = (some: typeof names) => Promise.all(some.map((name) => far.unregister(name, { force: true }))); // a connection each
  await end(names.slice(0, 8));
  line.silence();
  await end(names.slice(8));
  await eventually(() => idsOf(near).join() === 'a' && idsOf(far).join() === 'a');
});

test('renewals that cannot be written for half a lease are refused, nobody expires it, another registry takes them', async () => {
  await using opened = await openBoth();
  const { far, near, line } = opened;
  const lease = { ttlMs: 2_000 };
  const { generation } = await far.register(a, body(3001, { lease }));
  await eventually(() => idsOf(near).length === 1);
  await using changes = follow(near);
  line.cut();
  const refused = await eventually(
    () => codeOf(far.renew(a, generation)),
    (code) => code !== 'ok',
  );
  expect(refused).toBe('store_unavailable');
  await near.renew(a, generation);
  const renewing = setInterval(() => void codeOf(near.renew(a, generation)), 300);
  try {
    // The one that is cut off sees it overdue for long, and ends nothing.
    await eventually(() => (far.getService('tickets').instances[0]?.leaseUntil ?? 0) < Date.now() - 2_000);
    expect(idsOf(far)).toEqual(['a']);
    line.heal();
    await eventually(
      () => codeOf(far.renew(a, generation)),
      (code) => code === 'ok',
    );
    await near.register(b, body(3002));
    await eventually(() => idsOf(far).includes('b'));
    expect(changes.kinds).toEqual([expect.stringContaining('instance-registered')]);
  } finally {
    clearInterval(renewing);
  }
});

// Story: a renewal had to wait for half a lease before the next one was refused, and whoever renews every third of it
// was refused at its very end: the lease was gone before another registry heard of it.
test('who renews every third of its lease is refused in time to turn to another registry', async () => {
  const clock = createLaterClock();
  await using opened = await openBoth({ clock });
  const { far, line } = opened;
  const { generation } = await far.register(a, body(3001, { lease: { ttlMs: 60_000 } }));
  clock.laterMs += 40_000; // late, and then twice: nothing is wrong with that
  const twice = [far.renew(a, generation), far.renew(a, generation)];
  expect(await Promise.all(twice.map(codeOf))).toEqual(['ok', 'ok']);
  line.cut();
  clock.laterMs += 20_000;
  expect(await codeOf(far.renew(a, generation))).toBe('ok');
  clock.laterMs += 20_000;
  expect(await codeOf(far.renew(a, generation))).toBe('store_unavailable');
});

test('who renews for the first time when half of the lease is over is refused in time, too', async () => {
  const clock = createLaterClock();
  await using opened = await openBoth({ clock });
  const { far, line } = opened;
  const { generation } = await far.register(a, body(3001, { lease: { ttlMs: 60_000 } }));
  line.cut();
  clock.laterMs += 31_000;
  expect(await codeOf(far.renew(a, generation))).toBe('store_unavailable');
});

// Story: each last word waited ten seconds for a database that was away, one after the other; whoever stopped a
// registry then, because of that, killed it after half a minute. What asked meanwhile how far the changes had come
// was called off before it had an answer, which ended the process.
test('a database that is away holds up nobody who closes', async () => {
  await using opened = await openBoth();
  const { far, line, said } = opened;
  const { generation } = await far.register(a, body(3001, { lease: { ttlMs: 60_000 } }));
  line.loseAnswers(1, 'insert', 'services');
  const writing = codeOf(far.register(b, body(3002)));
  while (line.toLose() > 0) await nextTurn();
  line.cut(); // whoever writes asks what became of it, and waits
  await eventually(() => far.health().status !== 'ok');
  await far.renew(a, generation);
  await far.close();
  expect(said.join()).toContain('the store closes, and the database does not answer');
  expect(await writing).toBe('store_unavailable');
});

test('history that is gone while the line is cut: everything is read anew, followers are told, writes go on', async () => {
  await using opened = await openBoth();
  const { far, near, line, said, database } = opened;
  await far.register(a, body(3001));
  const before = far.position();
  line.cut();
  await near.register(b, body(3002));
  await near.unregister(a, { force: true });
  await endHistory(database);

  line.heal();
  await eventually(() => said.some((line) => line.includes('everything is read anew')));
  await eventually(() => idsOf(far).join() === 'b');
  const never = new AbortController().signal;
  expect(() => far.changes(before, never)).toThrow(expect.objectContaining({ code: 'compacted' }));
  await far.register({ service: 'tickets', id: 'c' }, body(3003));
  await eventually(() => idsOf(near).join() === 'b,c');
  expect(far.position().epoch).toBe(near.position().epoch);
}, 60_000);

/** Fills the server's history with what nobody follows, until its former beginning is gone. */
async function endHistory(database: string): Promise<void> {
  const client = new mongo.MongoClient(replicaSet.url);
  try {
    const oplog = client.db('local').collection('oplog.rs');
    const newest = await oplog.find().sort({ $natural: -1 }).limit(1).next();
    const filler = client.db(`${database}-filler`).collection('filler');
    await eventually(
      async () => {
        await filler.insertMany(Array.from({ length: 20 }, () => ({ text: 'x'.repeat(200_000) })));
        return oplog.find().sort({ $natural: 1 }).limit(1).next();
      },
      (oldest) => oldest?.ts.greaterThan(newest?.ts) === true,
      { withinMs: 40_000 },
    );
  } finally {
    await client.close();
  }
}
