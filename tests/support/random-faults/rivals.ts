// Clients that take one instance from each other, each time with a new run: what they are granted only rises.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance } from '@reg/schema';
import type { Random } from '../../../packages/registry/src/testing/random.ts';
import { ask } from './ask.ts';
import type { World } from './registrants.ts';

interface Grant {
  readonly run: string;
  readonly generation: number;
  readonly askedAt: number;
  readonly answeredAt: number;
}

export interface Rivals {
  run(stopped: () => boolean): Promise<void>;
  /** @param listed the instance at the end */
  findings(listed: Instance | undefined): string[];
}

export interface RivalsOptions {
  readonly service: string;
  readonly id: string;
  readonly port: number;
  readonly random: () => Random;
  readonly world: World;
}

const rivalCount = 3;

export function createRivals({ service, id, port, random, world }: RivalsOptions): Rivals {
  const { registries, logbook } = world;
  const grants: Grant[] = [];

  async function compete(rival: number, random: Random, stopped: () => boolean): Promise<void> {
    for (let runs = 0; !stopped(); runs++) {
      const run = `rival-${rival}-run-${runs}`;
      const at = random.below(registries.length);
      const askedAt = performance.now();
      const answer = await ask('PUT', `${registries[at]?.url}/v1/services/${service}/instances/${id}`, {
        body: {
          url: `/${service}`,
          endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
          authorizedRoles: ['rival'],
          lease: 'none',
          runId: run,
        },
      });
      logbook.note(`${service}/${id} at ${at}: PUT ${run} -> ${JSON.stringify(answer)}`);
      if (answer.outcome === 'done') {
        const generation = Number(answer.body.generation);
        grants.push({ run, generation, askedAt, answeredAt: performance.now() });
      }
      await sleep(20 + random.below(600));
    }
  }

  return {
    async run(stopped) {
      await Promise.all(Array.from({ length: rivalCount }, (_, rival) => compete(rival, random(), stopped)));
    },
    findings(listed) {
      const findings: string[] = [];
      const highest = Math.max(0, ...grants.map(({ generation }) => generation));
      if (highest > (listed?.generation ?? 0)) {
        findings.push(`${service}/${id} was granted ${highest}, and is listed with ${listed?.generation}`);
      }
      for (const one of grants) {
        for (const later of grants) {
          const isSame = one !== later && one.generation === later.generation;
          const isBack = one.answeredAt < later.askedAt && later.generation < one.generation;
          if (isSame || isBack)
            findings.push(
              `${service}/${id}: ${later.run} got ${later.generation}, ${one.run} ${one.generation}`,
            );
        }
      }
      return findings;
    },
  };
}
