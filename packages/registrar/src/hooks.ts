// What a policy does when something happens: a program gets the event on its stdin, a webhook in its body. Bounded in
// time and number, and its output goes to the log.
import type { HookAction } from './policies/policy-file.ts';
import { runCommand } from './run-command.ts';
import { someAtATime } from './some-at-a-time.ts';
import { callWebhook } from './webhook.ts';

interface HookEvent {
  readonly event: 'failing' | 'recovered' | 'high-load';
  readonly service: string;
  readonly instanceId?: string | undefined;
  readonly because: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly registrar: string;
}

export interface Hooks {
  /** Never throws. */
  run(action: HookAction | undefined, event: HookEvent): void;
  /** Resolves when what was begun is done. */
  close(): Promise<void>;
}

const timeoutMs = 30_000;
const atOnce = 8;
const mostWaiting = 1_000;

export function createHooks(log: (line: string) => void): Hooks {
  const works = someAtATime(atOnce);
  return {
    run(action, event) {
      if (!action) return;
      const what = `${event.service} on ${event.event}`;
      if (works.waiting() >= mostWaiting) return log(`${what}: left out, since ${mostWaiting} others wait`);
      works.add(() => perform(action, event, what, log));
    },
    close: works.close,
  };
}

async function perform(
  action: HookAction,
  event: HookEvent,
  what: string,
  log: (line: string) => void,
): Promise<void> {
  if ('webhook' in action) {
    await callWebhook(action.webhook, event).then(
      () => log(`${what}: the webhook was called`),
      (error: Error) => log(`${what}: ${error.message}`),
    );
    return;
  }
  const env = { REG_EVENT: event.event, REG_SERVICE: event.service, REG_INSTANCE: event.instanceId ?? '' };
  const input = `${JSON.stringify(event)}\n`;
  const { code, output, trouble } = await runCommand(action.command, { timeoutMs, env, input });
  log(
    [`${what}: ${action.command[0]}: ${trouble ?? `exit code ${code}`}`, output].filter(Boolean).join(': '),
  );
}
