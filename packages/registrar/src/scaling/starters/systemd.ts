// Instances of a template: `tickets@1`, `tickets@2`. systemd keeps them running; we only say how many.
import { runCommand } from '../../run-command.ts';
import { systemctlArguments } from '../../sources/systemd.ts';
import { createAsked, localPendingMs, type Starter, type StarterContext } from './starter.ts';

const answerMs = 10_000;
const mostInstances = 1_000;
/** A unit that fails at once may be started again soon. */
const askedMs = 5_000;

export interface SystemdStart {
  /** `tickets@`. */
  readonly systemd: string;
  readonly user?: boolean | undefined;
  readonly instances?: readonly [number, number] | undefined;
}

export function systemdStarter(
  { systemd, user, instances = [1, mostInstances] }: SystemdStart,
  context: StarterContext,
): Starter {
  const asked = createAsked(askedMs);
  const unitOf = (instance: string) => `${systemd}${instance}.service`;

  async function systemctl(...args: string[]): Promise<void> {
    const { code, output, trouble } = await runCommand(
      ['systemctl', ...systemctlArguments(user), '--no-block', ...args],
      { timeoutMs: answerMs },
    );
    if (code !== 0) throw new Error(`systemctl ${args.join(' ')}: ${trouble ?? output}`);
  }

  return {
    pendingMs: localPendingMs,
    async start() {
      const taken = new Set(context.instances().flatMap(({ found }) => found?.instance ?? []));
      const [first, last] = instances;
      for (let number = first; number <= last; number++) {
        const name = String(number);
        if (taken.has(name) || asked.has(name)) continue;
        asked.add(name);
        await systemctl('start', unitOf(name));
        return { what: unitOf(name), instance: name };
      }
      throw new Error(`every instance from ${first} to ${last} of ${systemd} is taken`);
    },
    canStop: ({ found }) => found !== undefined && /^\d+$/.test(found.instance),
    async stop({ found }) {
      if (found) await systemctl('stop', unitOf(found.instance));
    },
  };
}
