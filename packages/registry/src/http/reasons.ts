// Health, and why a request goes where it goes: of a registry and the gateway beside it, or of a gateway alone.
import {
  type FullHealth,
  type GatewayReasons,
  type HealthSummary,
  type Reply,
  regError,
  summarize,
} from '@reg/schema';
import type { Registry } from '../registry.ts';
import type { Handlers } from './handlers.ts';

/** Asked at each request: the gateway stands on the registry, so it starts later. */
export type GatewayBeside = () => GatewayReasons | undefined;

export function createReasonHandlers(
  health: () => FullHealth,
  gateway: GatewayBeside,
): Pick<Handlers, 'health' | 'explain'> {
  return {
    health({ query }, _ended, { mayRead }) {
      const content = health();
      const isAsked = query.check === 'ready' && !content.ready.ok;
      if (!isAsked) return { status: 200, content: mayRead ? content : healthForAnybody(content) };
      if (!mayRead) throw regError('not_ready', 'reasons are for who may read');
      const reasons = content.ready.reasons.map(({ code, text }) => `${code}: ${text}`);
      throw regError('not_ready', reasons.join('; '));
    },
    async explain({ query, headers }) {
      const { method = 'GET', target } = query;
      const explained = await gateway()?.explain({ method, target, token: tokenOf(headers) });
      if (explained) return { status: 200, content: explained };
      throw regError('not_found', 'no gateway runs in this process: ask one at its --admin-port');
    },
  };
}

function healthForAnybody({ status, live, ready }: HealthSummary): Reply<'health'> {
  return { status, live: { ok: live.ok }, ready: { ok: ready.ok } };
}

/** @param closing it answers still, and should be asked no more */
export function healthBeside(registry: Registry, gateway: GatewayBeside, closing: boolean): FullHealth {
  const ours = registry.health();
  const theirs = gateway()?.health();
  const ending = summarize(closing ? [{ code: 'closing', text: 'the registry is closing' }] : [], []);
  const summary = combined(theirs ? [ending, ours, theirs] : [ending, ours]);
  return { ...ours, ...summary, ...(theirs && { gateway: theirs }) };
}

export function healthAlone(gateway: GatewayReasons): FullHealth {
  const health = gateway.health();
  return { ...combined([health]), gateway: health };
}

/** Well only where all of them are. */
function combined(parts: readonly HealthSummary[]): HealthSummary {
  return {
    status: parts.every(({ status }) => status === 'ok') ? 'ok' : 'degraded',
    reasons: parts.flatMap(({ reasons }) => reasons),
    live: check(parts.map(({ live }) => live)),
    ready: check(parts.map(({ ready }) => ready)),
  };
}

function check(parts: readonly HealthSummary['ready'][]): HealthSummary['ready'] {
  return { ok: parts.every(({ ok }) => ok), reasons: parts.flatMap(({ reasons }) => reasons) };
}

/** In a header of its own: a query would be in logs, and `Authorization` is who asks, not who is asked about. */
function tokenOf(headers: Readonly<Record<string, string | string[] | undefined>>): string | undefined {
  return headers['x-reg-caller-token']?.toString();
}
