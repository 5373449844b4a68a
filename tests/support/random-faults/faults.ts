// What may befall registries, their lines and the members of the set, one thing after the other in each lane; all of
// it is mended when a lane ends.
import { setTimeout as sleep } from 'node:timers/promises';
import { mongo } from 'mongoose';
import type { Random } from '../../../packages/registry/src/testing/random.ts';
import type { Mongod, ReplicaSet } from '../mongod.ts';
import type { FaultyRegistry } from './faulty-registry.ts';
import type { Logbook } from './logbook.ts';

interface LaneOptions {
  readonly random: Random;
  readonly stopped: () => boolean;
  readonly logbook: Logbook;
}

const longestMs = 5_000;

/** One is killed at a time: what all of them forget at once is nobody's to tell. */
export async function troubleProcesses(
  registries: readonly FaultyRegistry[],
  { random, stopped, logbook }: LaneOptions,
): Promise<void> {
  while (!stopped()) {
    await sleep(200 + random.below(2_000));
    const index = random.below(registries.length);
    const registry = registries[index] as FaultyRegistry;
    const ms = 100 + random.below(longestMs);
    const what = random.pick(['kill', 'stop'] as const);
    logbook.fault(`registry ${index}: ${what}, for ${ms} ms where it stops`);
    if (what === 'kill') {
      registry.kill('SIGKILL');
      await registry.restart();
    } else {
      registry.kill('SIGSTOP');
      await sleep(ms);
      registry.kill('SIGCONT');
    }
    logbook.fault(`registry ${index}: goes on`);
  }
}

export async function troubleLines(
  registries: readonly FaultyRegistry[],
  { random, stopped, logbook }: LaneOptions,
): Promise<void> {
  while (!stopped()) {
    await sleep(200 + random.below(1_500));
    const index = random.below(registries.length);
    const { lines } = registries[index] as FaultyRegistry;
    const ms = random.once(3) ? 0 : random.below(longestMs);
    const what = random.pick(['hold', 'cut'] as const);
    logbook.fault(`lines of registry ${index}: ${what} for ${ms} ms`);
    lines[what]();
    await sleep(ms);
    lines.mend();
    logbook.fault(`lines of registry ${index}: mended`);
  }
}

export async function troubleMembers(
  replicaSet: ReplicaSet,
  { random, stopped, logbook }: LaneOptions,
): Promise<void> {
  while (!stopped()) {
    await sleep(500 + random.below(2_500));
    const ms = 100 + random.below(longestMs);
    const what = random.pick(['kill', 'kill-primary', 'step-down', 'stop-primary', 'kill-two'] as const);
    const any = replicaSet.members[random.below(replicaSet.members.length)] as Mongod;
    const primary = (await replicaSet.primary().catch(() => undefined)) ?? any;
    const nameOf = (member: Mongod) => replicaSet.members.indexOf(member);
    logbook.fault(`members: ${what} (primary ${nameOf(primary)}, any ${nameOf(any)}) for ${ms} ms`);
    if (what === 'step-down') await stepDown(replicaSet);
    else if (what === 'stop-primary') {
      primary.process.kill('SIGSTOP');
      await sleep(ms);
      primary.process.kill('SIGCONT');
    } else {
      const others = replicaSet.members.filter((member) => member !== any).slice(0, 1);
      const killed = what === 'kill' ? [any] : what === 'kill-primary' ? [primary] : [any, ...others];
      for (const { process } of killed) process.kill('SIGKILL');
      await sleep(ms / 2);
      for (const member of killed) await member.restart();
    }
    logbook.fault(`members: mended`);
  }
}

async function stepDown(replicaSet: ReplicaSet): Promise<void> {
  const client = new mongo.MongoClient(replicaSet.url, { serverSelectionTimeoutMS: 5_000 });
  try {
    await client.db('admin').command({ replSetStepDown: 5, force: true });
  } catch {
    // it is no primary any more, or there was none
  } finally {
    await client.close();
  }
}
