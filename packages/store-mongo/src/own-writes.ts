// The writes of this registry that are under way: what becomes of one is told by the changes, which all registries
// see, and not by the database's answer, which may be late or lost.
import type { Raced } from '@reg/registry';
import { type ChangeSet, regError } from '@reg/schema';
import { errorText } from './error-text.ts';

/** An election takes up to ten seconds, and its outcome one more to be known. */
const toldWithinMs = 12_000;
const lookEveryMs = 250;
const tooLate = 'the database does not say whether it was written';

export interface OwnWritesOptions {
  /** Resolves once everything was told that was written before. */
  readonly caughtUp: () => Promise<void>;
  readonly onOver: (write: string) => void;
}

export interface OwnWrites {
  /** @throws `store_unavailable` where it fails, or nothing is told of it within 12 s */
  begin(write: string): Promise<ChangeSet | Raced>;
  /** Somebody waits for it still. */
  isWanted(write: string): boolean;
  seen(write: string, set: ChangeSet): void;
  /** It seems not to have been done: once caught up, it was seen or it never was. */
  lost(write: string): void;
  fail(write: string, cause: unknown): void;
  /** Those that are not over, oldest first. */
  list(): readonly string[];
  /** Nobody tells of them any more. */
  close(): void;
}

interface UnderWay {
  readonly resolve: (outcome: ChangeSet | Raced) => void;
  readonly reject: (cause: unknown) => void;
  /** By turns of the timer and not by a clock: a process that stood still itself has not waited. */
  readonly lastLook: number;
}

export function createOwnWrites({ caughtUp, onOver }: OwnWritesOptions): OwnWrites {
  const underWay = new Map<string, UnderWay>();
  let looks = 0;
  const timer = setInterval(() => {
    looks += 1;
    for (const [write, { lastLook }] of underWay) {
      if (lastLook >= looks) return;
      fail(write, new Error(tooLate));
    }
  }, lookEveryMs);

  function end(write: string): UnderWay | undefined {
    const one = underWay.get(write);
    if (one) {
      underWay.delete(write);
      onOver(write);
    }
    return one;
  }

  function fail(write: string, cause: unknown): void {
    end(write)?.reject(regError('store_unavailable', errorText(cause), { cause }));
  }

  return {
    begin(write) {
      return new Promise((resolve, reject) => {
        underWay.set(write, { resolve, reject, lastLook: looks + toldWithinMs / lookEveryMs });
      });
    },
    isWanted: (write) => underWay.has(write),
    seen(write, set) {
      end(write)?.resolve(set);
    },
    lost(write) {
      if (!underWay.has(write)) return;
      caughtUp().then(
        () => end(write)?.resolve('raced'),
        (cause: unknown) => fail(write, cause),
      );
    },
    fail,
    list: () => [...underWay.keys()],
    close() {
      clearInterval(timer);
      for (const write of underWay.keys()) fail(write, new Error('the store is closed'));
    },
  };
}
