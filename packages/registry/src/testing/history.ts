// One random history: a registry over the store under test and the model do the same, step by step, and
// must agree on every answer and on every listing; who follows the changes must end at the snapshot.
import assert from 'node:assert/strict';
import {
  type ChangeSet,
  isRegError,
  type RegistrationBody,
  type ServicePolicy,
  type Snapshot,
  slug,
} from '@reg/schema';
import type { RunName } from '../lease.ts';
import { createRegistry, type Registry } from '../registry.ts';
import type { InstanceName, Store } from '../store.ts';
import type { FakeClock } from './fake-clock.ts';
import { createModel, type Model } from './model.ts';
import { createRandom, type Random } from './random.ts';
import { inOrder, replay } from './replay.ts';

export interface HistoryOptions {
  readonly store: Store;
  readonly clock: FakeClock;
  readonly seed: number;
  readonly steps: number;
}

interface World {
  readonly registry: Registry;
  readonly model: Model;
  readonly clock: FakeClock;
  readonly random: Random;
  readonly startedAt: number;
  /** Generations that somebody was granted, of late. */
  readonly granted: number[];
  /** Names given to runs until now. */
  runs: number;
  /** How often each code, or `ok`, was the answer. */
  readonly answers: Map<string, number>;
}

const lookEveryMs = 250;

/** @returns how often each code, or `ok`, was the answer. @throws an error that names seed and step */
export async function runHistory({
  store,
  clock,
  seed,
  steps,
}: HistoryOptions): Promise<ReadonlyMap<string, number>> {
  const registry = createRegistry({ store, clock });
  const random = createRandom(seed);
  const world: World = {
    registry,
    model: createModel(),
    clock,
    random,
    startedAt: clock.now(),
    granted: [1],
    runs: 0,
    answers: new Map(),
  };
  let followed = registry.snapshot();
  try {
    for (let step = 0; step < steps; step++) {
      try {
        await takeStep(world);
        compare(world);
        if (random.once(50)) followed = await catchUp(registry, followed);
      } catch (cause) {
        throw new Error(`seed ${seed}, step ${step} of the random history`, { cause });
      }
    }
    return world.answers;
  } finally {
    await registry.close();
  }
}

async function takeStep(world: World): Promise<void> {
  const { random } = world;
  const roll = random.below(100);
  if (roll < 40) return register(world);
  if (roll < 55) return renew(world);
  if (roll < 65) return drain(world);
  if (roll < 78) return unregister(world);
  if (roll < 83) return movePath(world);
  if (roll < 88) return set(world);
  return goOn(world, random.once(200) ? 3_600_000 + random.below(1_000) : random.below(4_000));
}

function anyName({ random }: World): InstanceName {
  const service = random.pick(['tickets', 'Tickets', 'orders']); // two of one slug
  return { service, id: random.pick(['one', 'two', 'three']) };
}

/** Every other one is new; else one of late, which may have been replaced since. */
function anyRunId(world: World): string | undefined {
  if (world.random.once(5)) return undefined;
  if (world.random.once(2)) return `run-${++world.runs}`;
  return `run-${Math.max(0, world.runs - world.random.below(20))}`;
}

/** That of the instance meant, as far as it is listed; else one of late, or one from the future. */
function anyGeneration({ random, granted, model }: World, { service, id }: InstanceName): number {
  if (random.once(20)) return 2 ** 52;
  const meant = model.instances.find((one) => one.service === service && one.id === id);
  if (meant && random.below(3) > 0) return meant.generation;
  return granted[Math.max(0, granted.length - 1 - random.below(12))] ?? 1;
}

function anyRun(world: World, name: InstanceName): RunName {
  const roll = world.random.below(6);
  if (roll === 0) return { force: true };
  return roll < 4 ? { generation: anyGeneration(world, name) } : { runId: anyRunId(world) ?? 'run-0' };
}

/** Of one id all leases are alike, and there are nine in all: too few to hold back. */
const leases: Record<string, RegistrationBody['lease']> = {
  one: { ttlMs: 3_000 },
  two: { ttlMs: 10_000 },
  three: 'none',
};

function anyBody(world: World, name: InstanceName): RegistrationBody {
  const { service, id } = name;
  const { random } = world;
  const usual = random.below(10) < 7;
  const host = usual ? id : random.pick(['one', 'two', 'three', 'four']);
  const url = usual ? `/${slug(service)}` : random.pick(['/tickets', '/orders', '/other', '/', '/_reg/x']);
  const runId = anyRunId(world);
  return {
    url,
    endpoints: [{ type: 'http', url: `http://${host}.test` }],
    authorizedRoles: random.once(6) ? ['other'] : ['reader'],
    lease: leases[id],
    ...(runId !== undefined && { runId }),
    ...(random.once(5) && { generation: anyGeneration(world, name) }),
    ...(random.once(5) && { redefine: true }),
    ...(random.once(3) && { version: `${random.below(3)}` }),
  };
}

/** @returns the reply, or the code of the refusal */
async function answerOf<Reply>(
  { answers }: World,
  asked: Promise<Reply>,
): Promise<Reply | { refused: string }> {
  const count = (code: string) => answers.set(code, (answers.get(code) ?? 0) + 1);
  try {
    const reply = await asked;
    count('ok');
    return reply;
  } catch (error) {
    if (!isRegError(error)) throw error;
    count(error.code);
    return { refused: error.code };
  }
}

function codeOf(answer: object): unknown {
  return 'refused' in answer ? answer.refused : undefined;
}

async function register(world: World): Promise<void> {
  const { registry, model, clock, granted } = world;
  const name = anyName(world);
  const body = anyBody(world, name);
  const before = registry.position().revision;
  const answer = await answerOf(world, registry.register(name, body));
  const expected = model.register(name, body, slug(name.service), clock.now());
  if ('refused' in expected || 'refused' in answer) {
    assert.deepEqual(answer, expected, `register ${JSON.stringify({ name, body })}`);
    assert.equal(registry.position().revision, before, 'a refusal changes nothing');
    return;
  }
  if (expected.generation === 'new')
    assert.ok(answer.generation > before, 'a new run has a generation above all before');
  else assert.equal(answer.generation, expected.generation);
  assert.ok(answer.generation <= answer.revision, 'no generation is from the future');
  model.registered(name, answer.generation);
  granted.push(answer.generation);
}

async function renew(world: World): Promise<void> {
  const { registry, model, clock } = world;
  const name = anyName(world);
  const generation = anyGeneration(world, name);
  const before = registry.position();
  const answer = await answerOf(world, registry.renew(name, generation));
  assert.equal(codeOf(answer), model.renew(name, generation, clock.now()), `renew ${JSON.stringify(name)}`);
  assert.deepEqual(registry.position(), before, 'a renewal is no change');
}

async function drain(world: World): Promise<void> {
  const name = anyName(world);
  const run = anyRun(world, name);
  const answer = await answerOf(world, world.registry.drain(name, run));
  assert.equal(codeOf(answer), world.model.drain(name, run), `drain ${JSON.stringify({ name, run })}`);
}

async function unregister(world: World): Promise<void> {
  const name = anyName(world);
  const run = anyRun(world, name);
  const answer = await answerOf(world, world.registry.unregister(name, run));
  const expected = world.model.unregister(name, run, world.clock.now());
  assert.equal(codeOf(answer), expected, `unregister ${JSON.stringify({ name, run })}`);
}

async function movePath(world: World): Promise<void> {
  const { registry, model, random } = world;
  const [from, to] = [
    random.pick(['tickets', 'orders', 'nobody']),
    random.pick(['tickets', 'Tickets', 'orders']),
  ];
  const path = random.pick(['/tickets', '/orders', '/other']);
  const answer = await answerOf(world, registry.movePath({ path, from, to }));
  assert.equal(codeOf(answer), model.movePath(path, from, to), `move ${path} from ${from} to ${to}`);
}

async function set(world: World): Promise<void> {
  const { registry, model, random } = world;
  const service = random.pick(['tickets', 'Tickets', 'orders']);
  if (random.once(3)) {
    const wanted = random.once(2) ? random.below(3) : undefined;
    const answer = await answerOf(world, registry.scale(service, wanted ?? null));
    assert.equal(codeOf(answer), model.set(service, { wanted }), `scale ${service} to ${wanted}`);
    return;
  }
  const fallback: ServicePolicy['fallback'] = { use: [{ kind: 'cache' }] };
  const policy = random.pick<ServicePolicy>([{}, { fallback }, { timeouts: { connectMs: 100 } }]);
  const answer = await answerOf(world, registry.setPolicy(service, policy));
  const kept = Object.keys(policy).length > 0 ? policy : undefined;
  assert.equal(
    codeOf(answer),
    model.set(service, { policy: kept }),
    `policy ${JSON.stringify(policy)} of ${service}`,
  );
}

async function goOn({ clock, model, startedAt }: World, byMs: number): Promise<void> {
  const end = clock.now() + byMs;
  const firstLook = startedAt + Math.ceil((clock.now() - startedAt + 1) / lookEveryMs) * lookEveryMs;
  await clock.advance(byMs);
  for (let look = firstLook; look <= end; look += lookEveryMs) model.looked(look);
}

function compare({ registry, model }: World): void {
  const said = registry.listServices().services.map((service) => ({
    name: service.name,
    url: service.url,
    formerUrls: service.formerUrls ?? [],
    roles: JSON.stringify(service.authorizedRoles),
    policy: service.policy,
    wanted: service.wanted,
    instances: service.instances.map(({ instanceId, generation, state, leaseUntil }) => ({
      id: instanceId,
      generation,
      state,
      leaseUntil,
    })),
  }));
  const expected = model.services.map(({ name, url, formerUrls, roles, policy, wanted }) => ({
    name,
    url,
    formerUrls,
    roles,
    policy,
    wanted,
    instances: model.instances
      .filter(({ service }) => service === name)
      .map(({ id, generation, state, expiresAt }) => ({ id, generation, state, leaseUntil: expiresAt })),
  }));
  assert.deepEqual(sorted(said), sorted(expected));
}

function sorted<Listed extends { name: string; instances: { id: string }[] }>(services: Listed[]): Listed[] {
  for (const { instances } of services) instances.sort((a, b) => (a.id < b.id ? -1 : 1));
  return services.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Follows from a snapshot taken before to the present, and must find it. */
async function catchUp(registry: Registry, from: Snapshot): Promise<Snapshot> {
  const goal = registry.snapshot();
  let seen = from;
  const following = new AbortController();
  const sets: AsyncIterable<ChangeSet> = registry.changes(from, following.signal);
  if (goal.revision > from.revision) {
    for await (const set of sets) {
      assert.ok(set.revision > seen.revision, 'revisions grow');
      seen = replay(seen, set);
      if (set.revision >= goal.revision) break;
    }
  }
  following.abort();
  assert.deepEqual(inOrder(seen), inOrder(goal));
  return goal;
}
