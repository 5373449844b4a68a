// Who makes services by hand in the database, changes and deletes them, at random, and what is known of each.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance } from '@reg/schema';
import { mongo } from 'mongoose';
import type { Random } from '../../../packages/registry/src/testing/random.ts';
import type { World } from './registrants.ts';

export interface HandMade {
  run(stopped: () => boolean): Promise<void>;
  /** @param listed all instances of that service */
  faultOf(listed: readonly Instance[]): string | undefined;
}

export interface HandMadeOptions {
  readonly service: string;
  readonly port: number;
  readonly random: Random;
  readonly world: World;
}

/** The database is away for seconds, and each try waits for as long. */
const triesAtMost = 50;

export function createHandMade({ service, port, random, world }: HandMadeOptions): HandMade {
  const { services, logbook } = world;
  const _id = new mongo.ObjectId();
  let said: string | undefined;
  let version = 0;

  /** Until it is known to be done: each of them may be done twice. */
  async function insist(what: string, act: () => Promise<unknown>): Promise<void> {
    for (let tries = 0; tries < triesAtMost; tries++) {
      const cause = await act().then(
        () => undefined,
        (error: unknown) => error,
      );
      const isDone =
        cause === undefined || (cause instanceof mongo.MongoServerError && cause.code === 11_000);
      logbook.note(`${service} by hand: ${what} -> ${isDone ? 'done' : String(cause)}`);
      if (isDone) return;
    }
    throw new Error(`${service} cannot be changed by hand: ${what}`);
  }

  async function step(): Promise<void> {
    if (said === undefined) {
      const next = `v${++version}`;
      await insist(`insert ${next}`, () =>
        services.insertOne({
          _id,
          name: service,
          url: `/${service}`,
          endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
          authorizedRoles: ['by-hand'],
          version: next,
        }),
      );
      said = next;
    } else if (random.once(3)) {
      await insist('delete', () => services.deleteOne({ _id }));
      said = undefined;
    } else {
      const next = `v${++version}`;
      await insist(`update ${next}`, () => services.updateOne({ _id }, { $set: { version: next } }));
      said = next;
    }
  }

  return {
    async run(stopped) {
      while (!stopped()) {
        await step();
        await sleep(20 + random.below(400));
      }
    },
    faultOf(listed) {
      const versions = listed.map((instance) => instance.version).join();
      if (versions === (said ?? '')) return undefined;
      return `${service} was made by hand as ${said}, and is listed as ${versions}`;
    },
  };
}
