// A gateway alone listens and is silent on why it has nothing to serve: its log says it, once, and that it is over.
import type { Gateway } from '@reg/gateway';
import type { Part } from './part.ts';

const lookEveryMs = 1_000;

/** @param say takes a line of the log */
export function tellCatalog(gateway: Pick<Gateway, 'health'>, say: (line: string) => void): Part {
  let told: string | undefined;
  const timer = setInterval(() => {
    const { ready } = gateway.health();
    const trouble = ready.reasons.find(({ code }) => code === 'no_catalog' || code === 'stale_view')?.text;
    if (trouble === told) return;
    told = trouble;
    say(trouble ?? 'the registry is followed');
  }, lookEveryMs);
  return { close: async () => clearInterval(timer) };
}
