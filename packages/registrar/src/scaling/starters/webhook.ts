// Somebody else starts and stops instances when asked: a new machine takes minutes, so the answer only says that it
// was heard (202). What is asked for counts as pending until it is there.
import { callWebhook } from '../../webhook.ts';
import type { Starter, StarterContext } from './starter.ts';

export function webhookStarter(
  { webhook }: { readonly webhook: string },
  { service, owner }: StarterContext,
): Starter {
  const ask = (event: 'start' | 'stop', more: object) =>
    callWebhook(webhook, { event, service, registrar: owner, ...more });
  return {
    pendingMs: Number.POSITIVE_INFINITY,
    async start(because) {
      await ask('start', { because });
      return { what: `one more from ${new URL(webhook).host}` };
    },
    canStop: () => true,
    stop: ({ instanceId }, because) => ask('stop', { instanceId, because }),
  };
}
