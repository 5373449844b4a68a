// Who moves a path between two services, to and fro, and what is known of who holds it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../../packages/registry/src/testing/random.ts';
import { ask } from './ask.ts';
import type { World } from './registrants.ts';

export interface PathMoves {
  run(stopped: () => boolean): Promise<void>;
  /** @param urlOf the path of a service at the end */
  faultOf(urlOf: (service: string) => string | undefined): string | undefined;
}

/** @param services two that are registered; the path is that of the first */
export function createPathMoves(
  services: readonly [string, string],
  random: Random,
  world: World,
): PathMoves {
  const { registries, logbook } = world;
  const path = `/${services[0]}`;
  let holder = services[0];
  let lastRevision = 0;
  /** A move without an answer, and one by a registry that was behind: who knows what became of it. */
  let isSure = true;

  async function move(): Promise<void> {
    const at = random.below(registries.length);
    const [from, to] = holder === services[0] ? services : services.toReversed();
    const answer = await ask('POST', `${registries[at]?.url}/v1/paths/move`, { body: { path, from, to } });
    logbook.note(
      `${services.join()} at ${at}: move ${path} from ${from} to ${to} -> ${JSON.stringify(answer)}`,
    );
    if (answer.outcome === 'unknown') isSure = false;
    if (answer.outcome !== 'done') return;
    const revision = Number(answer.body.revision);
    if (revision < lastRevision) isSure = false;
    lastRevision = revision;
    holder = to as string;
  }

  return {
    async run(stopped) {
      while (!stopped()) {
        await move();
        await sleep(50 + random.below(1_000));
      }
    },
    faultOf(urlOf) {
      const holders = services.filter((service) => urlOf(service) === path);
      if (holders.length !== 1) return `${path} is held by ${holders.length} of ${services.join()}`;
      if (!isSure || holders[0] === holder) return undefined;
      return `${path} was moved to ${holder}, and is held by ${holders[0]} (${services.join()})`;
    },
  };
}
