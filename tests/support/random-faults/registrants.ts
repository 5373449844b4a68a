// Clients, each with an instance of its own, that do at random what clients do, at any registry; and what is known
// of each instance from their answers.
import { setTimeout as sleep } from 'node:timers/promises';
import type { mongo } from 'mongoose';
import type { Random } from '../../../packages/registry/src/testing/random.ts';
import { type Acknowledged, createAcknowledged } from './acknowledged.ts';
import { type Answer, ask } from './ask.ts';
import type { Logbook } from './logbook.ts';

/** What kind of life: no lease; a short one that is renewed at times; one that is renewed in time. */
type Kind = 'owned' | 'left' | 'kept';

/** An answered word that a lease goes on. Times in milliseconds since 1970. */
export interface KnownRenewal {
  readonly generation: number;
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly ttlMs: number;
}

export interface World {
  readonly registries: readonly { readonly url: string }[];
  readonly services: mongo.Collection<mongo.Document & { _id: string | mongo.ObjectId }>;
  /** What registrants say that each service is; who redefines changes it. */
  readonly roles: Map<string, string>;
  readonly logbook: Logbook;
}

export interface Registrant {
  readonly service: string;
  readonly id: string;
  readonly kind: Kind;
  readonly isDeletedByHand: boolean;
  readonly acknowledged: Acknowledged;
  readonly renewals: readonly KnownRenewal[];
  /** One thing after the other, until it is stopped. */
  run(stopped: () => boolean): Promise<void>;
  /** Renews what it keeps and does nothing else, until it is stopped. */
  keep(stopped: () => boolean): Promise<void>;
}

export interface RegistrantOptions {
  readonly service: string;
  readonly id: string;
  readonly port: number;
  readonly kind: Kind;
  /** It alone says what the service is. */
  readonly defines: boolean;
  /** Its document is deleted by hand now and then. */
  readonly isDeletedByHand: boolean;
  readonly random: Random;
  readonly world: World;
}

export function createRegistrant({
  service,
  id,
  port,
  kind,
  defines,
  isDeletedByHand,
  random,
  world,
}: RegistrantOptions): Registrant {
  const { registries, services, roles, logbook } = world;
  const acknowledged = createAcknowledged(`${service}/${id}`);
  const renewals: KnownRenewal[] = [];
  const shortMs = 1_000 + random.below(2_000);
  const ttlMs = { owned: Number.POSITIVE_INFINITY, left: shortMs, kept: 4_000 }[kind];
  let runs = 0;
  let renewedAt = 0;
  let version = 0;

  const path = `/v1/services/${service}/instances/${id}`;
  const anyRegistry = () => random.below(registries.length);
  const note = (at: number, what: string, answer: Answer) => {
    const came =
      answer.outcome === 'done' ? `${answer.status} ${JSON.stringify(answer.body)}` : JSON.stringify(answer);
    logbook.note(`${service}/${id} at ${at}: ${what} -> ${came}`);
  };

  async function call(at: number, method: 'PUT' | 'DELETE', tail: string, body?: object): Promise<Answer> {
    const url = `${registries[at]?.url}${path}${tail}`;
    const answer = await ask(method, url, {
      ...(body && { body }),
      withinMs: kind === 'kept' ? 1_000 : 3_000,
    });
    note(at, `${method} ${tail} ${body ? JSON.stringify(body) : ''}`, answer);
    if (answer.outcome === 'refused' && answer.code === 'generation_superseded')
      acknowledged.superseded(acknowledged.current?.run);
    return answer;
  }

  /** @param newRole what the service is from now on */
  async function register(run: string, at: number, newRole?: string): Promise<Answer> {
    const askedAt = Date.now();
    const answer = await call(at, 'PUT', '', {
      url: `/${service}`,
      endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
      authorizedRoles: [newRole ?? roles.get(service)],
      lease: kind === 'owned' ? 'none' : { ttlMs },
      runId: run,
      version: String(version),
      ...(newRole !== undefined && { redefine: true }),
    });
    if (answer.outcome === 'done') {
      const { generation, revision } = answer.body as { generation: number; revision: number };
      acknowledged.registered(run, { generation, revision, created: answer.status === 201 });
      renewals.push({ generation, askedAt, answeredAt: Date.now(), ttlMs });
      renewedAt = askedAt;
    } else if (answer.outcome === 'unknown') {
      acknowledged.registerUnknown(run);
    } else if (answer.code === 'registration_conflict') {
      await learnRoles(at);
    }
    return answer;
  }

  async function learnRoles(at: number): Promise<void> {
    const answer = await ask('GET', `${registries[at]?.url}/v1/services/${service}`);
    if (answer.outcome !== 'done') return;
    const [role] = answer.body.authorizedRoles as string[];
    if (role !== undefined) roles.set(service, role);
  }

  async function renew(at: number): Promise<Answer> {
    const generation = acknowledged.current?.generation ?? 0;
    const askedAt = Date.now();
    const answer = await call(at, 'PUT', '/lease', { generation });
    if (answer.outcome === 'done') {
      renewals.push({ generation, askedAt, answeredAt: Date.now(), ttlMs });
      renewedAt = askedAt;
    } else if (answer.outcome === 'refused' && answer.code !== 'ECONNREFUSED') {
      acknowledged.maybeExpired();
      renewedAt = 0;
    }
    return answer;
  }

  async function drain(at: number): Promise<Answer> {
    const answer = await call(at, 'PUT', `/drain?generation=${acknowledged.current?.generation}`);
    if (answer.outcome === 'done') acknowledged.drained();
    if (answer.outcome === 'unknown') acknowledged.drainUnknown();
    return answer;
  }

  async function unregister(at: number, name: string): Promise<Answer> {
    const answer = await call(at, 'DELETE', `?${name}`);
    const force = name.startsWith('force');
    const revision = Number(answer.outcome === 'done' && answer.body.revision);
    if (answer.outcome === 'done') force ? acknowledged.removed(revision) : acknowledged.ended(revision);
    if (answer.outcome === 'unknown') force ? acknowledged.removeUnknown() : acknowledged.endUnknown();
    return answer;
  }

  async function byHand(what: string, act: () => Promise<boolean>, unknown: () => void): Promise<void> {
    const did = await act().catch((error: unknown) => {
      unknown();
      return String(error);
    });
    logbook.note(`${service}/${id} by hand: ${what} -> ${did}`);
  }

  const _id = `${service}/${id}`;
  const deleteByHand = () =>
    byHand(
      'delete',
      async () => {
        const { deletedCount } = await services.deleteOne({ _id });
        if (deletedCount === 1) acknowledged.removed(undefined);
        return deletedCount === 1;
      },
      acknowledged.removeUnknown,
    );
  const editByHand = () =>
    byHand(
      'edit',
      async () =>
        (await services.updateOne({ _id }, { $set: { version: `hand-${++version}` } })).matchedCount === 1,
      () => {},
    );

  /** As clients do that get no answer: again, mostly at another registry. */
  async function insist(act: (at: number) => Promise<Answer>): Promise<void> {
    for (let tries = 0; tries < 6; tries++) {
      const { outcome, code } = { code: '', ...(await act(anyRegistry())) };
      if (outcome !== 'unknown' && code !== 'ECONNREFUSED') return;
      if (kind !== 'kept' && random.once(4)) return;
      await sleep(20 + random.below(100));
    }
  }

  function beginRun(): Promise<void> {
    const run = `${id}-run-${++runs}`;
    return insist((at) => register(run, at));
  }

  async function step(): Promise<void> {
    const { current } = acknowledged;
    if (!current) {
      await beginRun();
      return;
    }
    if (kind === 'kept') {
      if (renewedAt === 0) await beginRun();
      else if (Date.now() - renewedAt >= ttlMs / 3) await insist(renew);
      return;
    }
    await pickAct(current)();
  }

  function pickAct({ run, generation }: NonNullable<Acknowledged['current']>): () => Promise<void> {
    const acts: readonly (readonly [weight: number, act: () => Promise<void>])[] = [
      [30, () => insist((at) => register(run, at))],
      [8, () => update(run)],
      [15, beginRun],
      [kind === 'left' ? 15 : 0, () => insist(renew)],
      [8, () => insist(drain)],
      [8, () => insist((at) => unregister(at, `generation=${generation}`))],
      [6, () => insist((at) => unregister(at, `runId=${run}`))],
      [3, () => insist((at) => unregister(at, 'force=true'))],
      [isDeletedByHand ? 5 : 0, deleteByHand],
      [5, editByHand],
      [defines ? 20 : 0, () => redefine(run)],
    ];
    let die = random.below(acts.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, act] of acts) {
      if (die < weight) return act;
      die -= weight;
    }
    throw new RangeError('the weights have another sum');
  }

  async function update(run: string): Promise<void> {
    version += 1;
    await insist((at) => register(run, at));
  }

  async function redefine(run: string): Promise<void> {
    const role = `role-${random.below(10_000)}`;
    await insist(async (at) => {
      const answer = await register(run, at, role);
      if (answer.outcome === 'done') roles.set(service, role);
      return answer;
    });
  }

  return {
    service,
    id,
    kind,
    isDeletedByHand,
    acknowledged,
    renewals,
    async run(stopped) {
      while (!stopped()) {
        await step();
        if (kind === 'left') acknowledged.maybeExpired(); // it is not known when, if it is not renewed in time
        await sleep(20 + random.below(kind === 'kept' ? 100 : 400));
      }
    },
    async keep(stopped) {
      while (!stopped() && kind === 'kept') {
        await step();
        await sleep(50);
      }
    },
  };
}
