import type { Watched } from '../../instances.ts';

/** How instances of one service are started and stopped. One file for each kind beside this one. */
export interface Starter {
  /** What was asked for is not waited for any longer, whatever the policy says. */
  readonly pendingMs: number;
  /** Asks for one more. @throws why it cannot be */
  start(because: string): Promise<Started>;
  /** Whether it is one that `stop` can end. */
  canStop(watched: Watched): boolean;
  /** Of one that gets nothing new any more. @throws why it cannot be */
  stop(watched: Watched, because: string): Promise<void>;
}

interface Started {
  /** In words. */
  readonly what: string;
  /** As its source will name it. */
  readonly instance?: string | undefined;
}

/** A process of this machine is there by then, or it never will be. */
export const localPendingMs = 60_000;

export interface StarterContext {
  readonly service: string;
  /** `registrar:NAME`. */
  readonly owner: string;
  readonly instances: () => readonly Watched[];
  readonly log: (line: string) => void;
  /** What was started has ended by itself. */
  readonly lost: (instance: string) => void;
}

/** What was asked for and is not there yet is not asked for again meanwhile. */
export function createAsked(forMs: number): { add(name: string): void; has(name: string): boolean } {
  const until = new Map<string, number>();
  return {
    add(name) {
      const now = performance.now();
      for (const [known, end] of until) if (end <= now) until.delete(known);
      until.set(name, now + forMs);
    },
    has: (name) => (until.get(name) ?? 0) > performance.now(),
  };
}
