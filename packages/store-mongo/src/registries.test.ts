// Several registries over one database: equal, and of one mind.
import { createRegistry, type Registry } from '@reg/registry';
import { createFakeClock } from '@reg/registry/testing';
import { isRegError, type RegistrationBody } from '@reg/schema';
import { mongo } from 'mongoose';
import { expect } from 'vitest';
import { test, useServers } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { count } from '../../../tests/support/size.ts';
import type { ServiceDocument } from './documents.ts';
import { openMongoStore } from './mongo-store.ts';

const urlOn = useServers('replica set');

/** As many registries as asked for, over a database of their own. */
async function openRegistries(howMany = 3) {
  const url = urlOn('replica set');
  const client = new mongo.MongoClient(url);
  const registries: Registry[] = [];
  for (let index = 0; index < howMany; index++) {
    registries.push(createRegistry({ store: await openMongoStore({ url }) }));
  }
  return {
    registries,
    url,
    services: client.db().collection<ServiceDocument>('services'),
    definitions: client.db().collection('definitions'),
    async [Symbol.asyncDispose]() {
      await Promise.all(registries.map((registry) => registry.close()));
      await client.close();
    },
  };
}

// Without a lease: beside other load the rounds of a race took 18 s, and who had won the first ones was gone again.
function body(port: number, more: Partial<RegistrationBody> = {}): RegistrationBody {
  return {
    url: '/tickets',
    endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
    authorizedRoles: ['reader'],
    lease: 'none',
    ...more,
  };
}

const codeOf = (answer: PromiseSettledResult<unknown>) => {
  if (answer.status === 'fulfilled') return 'ok';
  if (isRegError(answer.reason)) return answer.reason.code;
  throw answer.reason;
};

/** What all of them list, once they agree. */
async function agreed(registries: readonly Registry[]) {
  const listed = () => registries.map((registry) => JSON.stringify(listing(registry)));
  await eventually(listed, (all) => new Set(all).size === 1);
  const [first] = registries;
  return first ? listing(first) : [];
}

function listing(registry: Registry) {
  return registry
    .snapshot()
    .services.map(({ name, url, authorizedRoles, instances }) => ({
      name,
      url,
      authorizedRoles,
      instances: instances.map(({ instanceId, generation }) => `${instanceId} ${generation}`).sort(),
    }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

test('what one registers the others list, at the same revision', async () => {
  await using opened = await openRegistries();
  const [one, two] = opened.registries;
  const answer = await one?.register({ service: 'tickets', id: 'a' }, body(3001));
  await two?.seen(
    { epoch: answer?.epoch ?? '', revision: answer?.revision ?? 0 },
    AbortSignal.timeout(5_000),
  );
  expect(await agreed(opened.registries)).toMatchObject([
    { name: 'tickets', instances: [expect.any(String)] },
  ]);
});

// Story: barriers, notes and healings moved the position that registries tell, and no change set has theirs. A register
// that changed nothing waited for its gateways until its limit, since none can come to such a position, and called all
// of them missing.
test('what changes nothing moves no position that is told, and a register that changes nothing waits for no gateway', async () => {
  await using opened = await openRegistries(2);
  const [one, two] = opened.registries as [Registry, Registry];
  const name = { service: 'tickets', id: 'a' };
  const stop = new AbortController();
  const catalog = one.catalog('gw');
  await one.register(name, body(3001, { runId: 'r' }));
  const snapshot = await catalog.snapshot(stop.signal);
  await catalog.applied(snapshot);
  const changes = catalog.changes(snapshot, stop.signal)[Symbol.asyncIterator]();
  const next = changes.next();
  try {
    const noted = await two.addNotes([{ service: 'tickets', event: 'said', text: 'nothing changed' }]);
    await one.seen(noted, AbortSignal.timeout(10_000));
    const again = await one.register(name, body(3001, { runId: 'r' }), {
      waitFor: 'gateways',
      waitMs: 60_000,
    });
    const told = one.position();
    expect(again).toMatchObject({ missing: [], revision: snapshot.revision });
    expect([one.position(), one.health(), one.listServices()]).toEqual(
      Array(3).fill(expect.objectContaining(told)),
    );
    expect(told).toEqual({ epoch: snapshot.epoch, revision: snapshot.revision });
  } finally {
    stop.abort();
    await next;
  }
});

// Story: nobody was woken by them either, and who had seen one elsewhere slept for 5 s where it came a moment later.
test('who has seen elsewhere what changes nothing is let on as soon as it is seen here', async () => {
  await using opened = await openRegistries(1);
  const [one] = opened.registries as [Registry];
  await one.register({ service: 'tickets', id: 'a' }, body(3001));
  const clock = createFakeClock(); // so that no limit ends the wait
  const two = createRegistry({ store: await openMongoStore({ url: opened.url }), clock });
  opened.registries.push(two);
  for (let round = 0; round < 50; round++) {
    const noted = await one.addNotes([{ service: 'tickets', event: 'said', text: `${round}` }]);
    await two.seen(noted, AbortSignal.timeout(10_000));
  }
});

test('an instance registered with one token is refused to another at any registry, also at one that came later', async () => {
  await using opened = await openRegistries(2);
  const [one, two] = opened.registries;
  const name = { service: 'tickets', id: 'a' };
  const writer = { registrant: 'credential tickets', mayWrite: () => true };
  await one?.register(name, body(3001), { writer });
  await agreed(opened.registries);
  const late = createRegistry({ store: await openMongoStore({ url: opened.url }) });
  opened.registries.push(late);
  for (const registry of [two, late]) {
    const foreign = { ...writer, registrant: 'credential other' };
    const answers = await Promise.allSettled([
      registry?.register(name, body(3002), { writer: foreign }),
      registry?.register(name, body(3001), { writer }),
    ]);
    expect(answers.map(codeOf)).toEqual(['instance_foreign', 'ok']);
  }
});

test('two services race for one path: one has it, the other hears path_taken', async () => {
  await using opened = await openRegistries();
  for (let round = 0; round < count({ reduced: 20, whole: 200 }); round++) {
    const answers = await Promise.allSettled(
      opened.registries.map((registry, index) =>
        registry.register(
          { service: `service ${round} ${index}`, id: 'a' },
          body(3000 + index, {
            url: `/path-${round}`,
            endpoints: [{ type: 'http', url: `http://h${round}.test:${index + 1}` }],
          }),
        ),
      ),
    );
    expect(answers.map(codeOf).sort()).toEqual(['ok', 'path_taken', 'path_taken']);
  }
  expect((await agreed(opened.registries)).length).toBe(count({ reduced: 20, whole: 200 }));
});

test('two instances race for one address: one has it, the others hear endpoint_taken', async () => {
  await using opened = await openRegistries();
  await opened.registries[0]?.register({ service: 'tickets', id: 'first' }, body(2999));
  for (let round = 0; round < count({ reduced: 20, whole: 200 }); round++) {
    const answers = await Promise.allSettled(
      opened.registries.map((registry, index) =>
        registry.register({ service: 'tickets', id: `r${round}-${index}` }, body(3000 + round)),
      ),
    );
    expect(answers.map(codeOf).sort()).toEqual(['endpoint_taken', 'endpoint_taken', 'ok']);
  }
  expect((await agreed(opened.registries))[0]?.instances.length).toBe(1 + count({ reduced: 20, whole: 200 }));
});

// Story: the first of a service is written with its definition; whoever lost the address was told that it was listed.
test('the first instances of services race for one address: one has it, the others hear so, and their services are not there', async () => {
  await using opened = await openRegistries();
  const rounds = count({ reduced: 20, whole: 200 });
  for (let round = 0; round < rounds; round++) {
    const answers = await Promise.allSettled(
      opened.registries.map((registry, index) =>
        registry.register(
          { service: `service-${round}-${index}`, id: `${index}` },
          body(3000 + round, { url: `/${round}-${index}` }),
        ),
      ),
    );
    expect(answers.map(codeOf).sort()).toEqual(['endpoint_taken', 'endpoint_taken', 'ok']);
  }
  expect((await agreed(opened.registries)).length).toBe(rounds);
  await eventually(
    () => opened.definitions.countDocuments(),
    (written) => written === rounds,
  );
});

test('runs of one instance race: each has a generation of its own, the highest is listed', async () => {
  await using opened = await openRegistries();
  const generations = new Set<number>();
  const rounds = count({ reduced: 20, whole: 200 });
  for (let round = 0; round < rounds; round++) {
    const answers = await Promise.allSettled(
      opened.registries.map((registry, index) =>
        registry.register({ service: 'tickets', id: 'a' }, body(3001, { runId: `run-${round}-${index}` })),
      ),
    );
    for (const answer of answers) {
      if (answer.status === 'rejected') throw answer.reason;
      generations.add(answer.value.generation);
    }
  }
  expect(generations.size).toBe(3 * rounds);
  const [service] = await agreed(opened.registries);
  expect(service?.instances).toEqual([`a ${Math.max(...generations)}`]);
});

// Story: what crossed the redefinition kept the former roles in its document. A registry that started when nobody else
// of the service was left took them for a hand edit, and wrote them down, against all others, for ever.
test('a redefinition races with registrations of the former definition: nobody is listed, or written down, under another', async () => {
  await using opened = await openRegistries();
  const [one, two, three] = opened.registries;
  await one?.register({ service: 'tickets', id: 'a' }, body(3001));
  for (let round = 0; round < count({ reduced: 20, whole: 200 }); round++) {
    const roles = [`role-${round}`];
    const former = round === 0 ? ['reader'] : [`role-${round - 1}`];
    const answers = await Promise.allSettled([
      one?.register({ service: 'tickets', id: 'a' }, body(3001, { authorizedRoles: roles, redefine: true })),
      two?.register({ service: 'tickets', id: `b${round}` }, body(4000 + round, { authorizedRoles: former })),
      three?.register(
        { service: 'tickets', id: `c${round}` },
        body(6000 + round, { authorizedRoles: former }),
      ),
    ]);
    expect(codeOf(answers[0] as PromiseSettledResult<unknown>)).toBe('ok');
    for (const answer of answers.slice(1)) expect(['ok', 'registration_conflict']).toContain(codeOf(answer));
    const [service] = await agreed(opened.registries);
    const accepted = answers.filter(({ status }) => status === 'fulfilled').length - 1;
    expect(service?.authorizedRoles).toEqual(roles);
    await eventually(
      () => opened.services.distinct('authorizedRoles' as never),
      (said) => said.join() === roles.join(),
    );
    expect(
      service?.instances.filter((name) => /^[bc]/.test(name) && new RegExp(`^.${round} `).test(name)).length,
    ).toBe(accepted);
  }
});

test('a lease renewed at one registry is expired by none; one that nobody renews goes, once', async () => {
  await using opened = await openRegistries(2);
  const [one, two] = opened.registries;
  const lease = { ttlMs: 1_000 };
  const kept = await one?.register({ service: 'tickets', id: 'kept' }, body(3001, { lease }));
  await two?.register({ service: 'tickets', id: 'left' }, body(3002, { lease }));
  const renewing = setInterval(() => {
    one?.renew({ service: 'tickets', id: 'kept' }, kept?.generation ?? 0).catch(() => {});
  }, 300);
  try {
    await eventually(
      () => opened.registries.map((registry) => listing(registry)[0]?.instances.length),
      (sizes) => sizes.every((size) => size === 1),
    );
    const set = two?.changes(two.position(), AbortSignal.timeout(3_000)) ?? [];
    for await (const { changes } of set) expect(changes).toEqual([]);
    expect(await agreed(opened.registries)).toMatchObject([{ instances: [expect.stringContaining('kept')] }]);
  } finally {
    clearInterval(renewing);
  }
});

// Story: an instance was drained at a registry that had not seen yet how another one redefined the service. The
// document said the former url, so it had lost the race, and was deleted: an acknowledged registration was gone.
test.each(['a path', 'an address'])(
  'a write that comes too late for %s leaves the instance as it was',
  async (late) => {
    await using opened = await openRegistries();
    const { registries, services } = opened;
    const [one, two] = registries as [Registry, Registry];
    const { generation } = await one.register({ service: 'tickets', id: 'a' }, body(3001));
    const kept = await services.findOne({ name: 'tickets' });
    if (!kept?.reg) throw new TypeError('nothing is kept');
    await one.register({ service: 'tickets', id: 'b' }, body(3002, { url: '/moved', redefine: true }));
    // As a registry writes it that has seen nothing of that.
    const { write } = kept.reg;
    const reg = { ...kept.reg, state: 'draining' as const, write: 'too-late' };
    const taken = { url: '/moved', endpoints: body(3002).endpoints };
    const { _id, ...said } = { ...kept, ...(late === 'a path' ? {} : taken), reg };
    expect(await services.replaceOne({ _id, 'reg.write': write }, said)).toMatchObject({ matchedCount: 1 });

    await eventually(
      () => services.findOne({ _id }),
      (document) => document?.url === '/moved' && document.reg?.state === 'up',
    );
    await two.renew({ service: 'tickets', id: 'a' }, generation);
    await two.drain({ service: 'tickets', id: 'a' }, { generation });
    await eventually(() => one.getService('tickets').instances.find(({ state }) => state === 'draining'));
    expect((await agreed(registries)).map(({ instances }) => instances.length)).toEqual([2]);
    expect(one.history().entries.map(({ kind }) => kind)).toEqual([
      'service-updated',
      'instance-registered',
      'service-updated',
      'instance-registered',
      'instance-drained',
    ]);
  },
);

// Story: somebody drained an instance that was made by hand, at a registry that had not seen yet how another one
// redefined the service: the document was deleted, and with it what a person had written.
test('a drain that comes too late leaves an instance that was made by hand as it was', async () => {
  await using opened = await openRegistries();
  const { registries, services } = opened;
  const [one, two] = registries as [Registry, Registry];
  const _id = new mongo.ObjectId();
  const { endpoints, authorizedRoles } = body(3001);
  const byHand = { name: 'tickets', endpoints, authorizedRoles };
  await services.insertOne({ _id, url: '/tickets', ...byHand });
  await eventually(() => one.snapshot().services.length === 1);
  await one.register({ service: 'tickets', id: 'b' }, body(3002, { url: '/moved', redefine: true }));
  // As a registry writes it that has seen nothing of that.
  const reg = {
    id: _id.toHexString(),
    generation: 1,
    state: 'draining' as const,
    lease: 'none' as const,
    registeredAt: 0,
    supersededRuns: [],
    write: 'too-late',
    at: 0,
  };
  const late = await services.replaceOne(
    { _id, reg: { $exists: false } },
    { url: '/tickets', ...byHand, reg },
  );
  expect(late).toMatchObject({ matchedCount: 1 });

  const restored = { _id, url: '/moved', ...byHand };
  await eventually(
    () => services.findOne({ _id }),
    (document) => document !== null && document.reg === undefined,
  );
  expect(await services.findOne({ _id })).toEqual(restored);
  await two.drain({ service: 'tickets', id: _id.toHexString() }, { force: true });
  await eventually(() => one.getService('tickets').instances.find(({ state }) => state === 'draining'));
  await services.deleteOne({ _id });
  await eventually(() => two.getService('tickets').instances.length === 1);
  await agreed(registries);
});

// Story: a registry that was behind granted a new run a generation below that of a run which had come and gone.
test.each([0, 1])(
  'a run granted %i below one that has ended, by a registry that is behind, is not listed',
  async (below) => {
    await using opened = await openRegistries(2);
    const { registries, services } = opened;
    const [one, two] = registries as [Registry, Registry];
    await one.register({ service: 'tickets', id: 'b' }, body(3002));
    const { generation } = await one.register(
      { service: 'tickets', id: 'a' },
      body(3001, { runId: 'first' }),
    );
    const kept = await services.findOne({ 'reg.id': 'a' });
    if (!kept?.reg) throw new TypeError('nothing is kept');
    await one.unregister({ service: 'tickets', id: 'a' }, { generation });

    const reg = { ...kept.reg, generation: generation - below, runId: 'second', write: 'too-late' };
    await services.insertOne({ ...kept, reg });
    await eventually(async () => (await services.countDocuments({ 'reg.id': 'a' })) === 0);
    const again = await two.register({ service: 'tickets', id: 'a' }, body(3001, { runId: 'second' }));
    expect(again.generation).toBeGreaterThan(generation);
    await agreed(registries);
    expect(one.history().entries.filter(({ instanceId }) => instanceId === 'a')).toHaveLength(3);
  },
);
