// What a source tells: who runs there. One file for each kind beside this one.

import type { Said } from '../policies/policy.ts';
import type { Place } from '../policies/policy-file.ts';

/** One that runs, or is to be taken for running. */
export interface Found extends Place {
  /** Names this run of its process, in the alphabet of a runId. Undefined: nothing tells one run from the next. */
  readonly identity: string | undefined;
  /** It says of itself what else the policy would. */
  readonly said?: Said | undefined;
  /** @default `host-port` of its first endpoint */
  readonly instanceId?: string | undefined;
}

export interface Source {
  close(): void;
}

export interface SourceEvents {
  /** All that run now; it is called at least once, and then when something changed. */
  readonly found: (all: readonly Found[]) => void;
  /** Nobody can tell at the moment: what was found stands. Undefined: it can be told again. */
  readonly trouble: (trouble: string | undefined) => void;
}

/** Looks again and again, never twice at once; tells only what changed. */
export function lookAgain(
  look: () => Promise<readonly Found[]>,
  everyMs: number,
  { found, trouble }: SourceEvents,
): Source & { soon(): void } {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let told: string | undefined;
  let looking = false;
  let again = false;

  async function turn(): Promise<void> {
    looking = true;
    again = false;
    const startedAt = performance.now();
    try {
      const all = await look();
      if (closed) return;
      trouble(undefined);
      const seen = JSON.stringify(all);
      if (seen !== told) found(all);
      told = seen;
    } catch (error) {
      if (!closed) trouble(error instanceof Error ? error.message : String(error));
    }
    looking = false;
    // Where looking takes long it is done less often.
    const pauseMs = Math.max(everyMs, 10 * (performance.now() - startedAt));
    if (!closed) timer = setTimeout(turn, again ? 0 : Math.min(pauseMs, 4 * everyMs));
  }

  void turn();
  return {
    soon() {
      if (closed) return;
      again = true;
      if (looking) return;
      clearTimeout(timer);
      timer = setTimeout(turn, 0);
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
