// What the gateway says of itself. A registry that is away makes no gateway unready: all of them would be
// taken out at once, while each still serves from its last view.
import { type GatewayHealth, type HealthReason, summarize } from '@reg/schema';
import type { DegradedAnswers } from './fallback/degraded-answers.ts';
import type { Follower } from './routes/follow-catalog.ts';

/**
 * @param degraded what fallbacks answer
 * @param tokensFault why tokens cannot be checked, or by old keys alone
 */
export function healthOf(
  { view, away }: Follower,
  tokensFault: string | undefined,
  closingSince: number | undefined,
  degraded: Pick<DegradedAnswers, 'total' | 'lately'>,
): GatewayHealth {
  const stale = staleReasons(view?.staleInstances ?? 0, away);
  const keys: HealthReason[] =
    tokensFault === undefined ? [] : [{ code: 'keys_unavailable', text: tokensFault }];
  const fatal: HealthReason[] = [];
  if (closingSince !== undefined) {
    const text = 'it is closing: it finishes what it has';
    fatal.push({ code: 'closing', text, since: Math.round(closingSince) });
  }
  if (!view && away) fatal.push({ code: 'no_catalog', ...reasonOf(away) });
  return {
    ...summarize(fatal, [...(view ? stale : []), ...keys, ...fallbackReasons(degraded)]),
    stale: view !== undefined && stale.length > 0,
    position: view?.position,
    routes: view?.table.size ?? 0,
    ...(degraded.total > 0 && { degradedAnswers: degraded.total }),
  };
}

function staleReasons(unconfirmed: number, away: Follower['away']): HealthReason[] {
  const reasons: HealthReason[] = [];
  if (away) reasons.push({ code: 'stale_view', ...reasonOf(away) });
  if (unconfirmed > 0) {
    const text = `${unconfirmed} instances are known from an earlier epoch alone`;
    reasons.push({ code: 'unconfirmed_instances', text });
  }
  return reasons;
}

function fallbackReasons({ lately }: Pick<DegradedAnswers, 'lately'>): HealthReason[] {
  return lately().map(({ service, since }) => ({
    code: 'answers_degraded',
    text: `${service} is answered by its fallback`,
    since: Math.round(since),
  }));
}

function reasonOf({ text, since }: { text: string; since: number }): { text: string; since: number } {
  return { text, since: Math.round(since) };
}
