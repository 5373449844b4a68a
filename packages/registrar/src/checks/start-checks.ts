// The checks of one instance, as its policy has them, set into the schedule.
import { now } from '../clock.ts';
import type { RunningCheck, Watched } from '../instances.ts';
import type { EffectivePolicy } from '../policies/effective-policy.ts';
import { fillIn } from '../policies/policy-file.ts';
import { checkCommand } from './command.ts';
import { type Health, initialHealth, judge, worst } from './health.ts';
import { checkHttp } from './http.ts';
import type { CheckSchedule } from './schedule.ts';
import { checkTcp } from './tcp.ts';
import type { Verdict } from './verdict.ts';

/** One that is starting is asked more often: it is to be listed soon. */
const startingLeastMs = 250;

interface CheckToMake {
  readonly key: string;
  readonly make: (signal: AbortSignal) => Promise<Verdict>;
}

/** What is checked of an instance that was found. */
function checksAt(
  policy: EffectivePolicy,
  { service, instanceId, found }: Watched,
  endpoint: string,
): CheckToMake[] {
  if (!found) return [];
  const { timeoutMs } = policy.checking;
  const env = { REG_SERVICE: service, REG_INSTANCE: instanceId, REG_ENDPOINT: endpoint };
  const keyOf = (check: unknown) => JSON.stringify([check, endpoint, policy.checking, found.identity]);
  return [
    ...policy.checks.map((check) => ({
      key: keyOf(check),
      make: (signal: AbortSignal) =>
        check.type === 'http'
          ? checkHttp(check, endpoint, timeoutMs, signal)
          : checkTcp(check, endpoint, timeoutMs, signal),
    })),
    ...policy.commandChecks.map(({ command }) => ({
      key: keyOf(command),
      make: (signal: AbortSignal) =>
        checkCommand(
          command.map((one) => fillIn(one, found)),
          env,
          timeoutMs,
          signal,
        ),
    })),
  ];
}

/**
 * Those that are as before go on as they are. An instance without checks passes as long as it is there.
 * @param onHealth called when its state changed, with the one before
 */
export function setChecks(
  watched: Watched,
  policy: EffectivePolicy,
  endpoint: string | undefined,
  schedule: CheckSchedule,
  onHealth: (watched: Watched, before: Health) => void,
): void {
  const wanted = endpoint === undefined ? [] : checksAt(policy, watched, endpoint);
  const kept = new Map(watched.checks.map((check) => [check.key, check]));
  const { intervalMs } = policy.checking;
  const startingMs = Math.min(intervalMs, Math.max(startingLeastMs, intervalMs / 10));
  const everyMs = ({ state }: Health) => (state === 'starting' ? startingMs : intervalMs);

  const start = ({ key, make }: CheckToMake): RunningCheck => {
    const check: RunningCheck = {
      key,
      health: initialHealth(watched.health.state, watched.health.because, now()),
      scheduled: schedule.add({
        intervalMs: everyMs(watched.health),
        async run(signal) {
          const verdict = await make(signal);
          if (signal.aborted) return;
          check.health = judge(check.health, verdict, policy.checking, now());
          const before = watched.health;
          const after = worst(watched.checks.map(({ health }) => health)) ?? before;
          watched.health = after;
          if (after.state === before.state) return;
          for (const { scheduled, health } of watched.checks) scheduled.every(everyMs(health));
          onHealth(watched, before);
        },
      }),
    };
    return check;
  };
  watched.checks = wanted.map((one) => {
    const running = kept.get(one.key);
    kept.delete(one.key);
    return running ?? start(one);
  });
  for (const { scheduled } of kept.values()) scheduled.remove();
  if (watched.checks.length === 0 && watched.health.state !== 'passing') {
    const before = watched.health;
    watched.health = { state: 'passing', since: now(), because: 'it runs, and nothing checks it' };
    onHealth(watched, before);
  }
}

export function stopChecks(watched: Watched): void {
  for (const { scheduled } of watched.checks) scheduled.remove();
  watched.checks = [];
}
