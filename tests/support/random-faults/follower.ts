// Who follows the changes of one registry through all that befalls it, and holds what they come to.
import { type Snapshot, watch } from '@reg/client';
import { replay } from '../../../packages/registry/src/testing/replay.ts';

export interface Follower extends AsyncDisposable {
  readonly findings: readonly string[];
  held(): Snapshot | undefined;
}

export function follow(registry: string): Follower {
  const stop = new AbortController();
  const findings: string[] = [];
  let held: Snapshot | undefined;
  const running = (async () => {
    for await (const item of watch({ registry, signal: stop.signal })) {
      if (!('changes' in item)) {
        held = item; // at first, and where the history was lost
        continue;
      }
      const { revision } = item;
      if (!held || revision <= held.revision)
        findings.push(`${registry} told ${revision} after ${held?.revision}`);
      held = held && replay(held, item);
    }
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) findings.push(`nobody can follow ${registry}: ${String(error)}`);
  });
  return {
    findings,
    held: () => held,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}
