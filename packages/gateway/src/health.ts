import type { Position } from '@reg/schema';
import type { Follower } from './routes/follow-catalog.ts';

export interface Health {
  /** There are routes: requests are answered by them, not by `catalog_unavailable`. */
  readonly ready: boolean;
  /** It serves from a view that the registry has not confirmed lately, or that holds what only an earlier epoch knew. */
  readonly stale: boolean;
  /** What it has applied; undefined before the first snapshot. */
  readonly position: Position | undefined;
  /** Public paths it knows. */
  readonly routes: number;
  /** Why it is not ready or stale, or cannot check tokens as it should; for people. */
  readonly reasons: readonly string[];
}

/** @param tokensFault why tokens cannot be checked, or by old keys alone */
export function healthOf({ view, away }: Follower, tokensFault: string | undefined): Health {
  const reasons: string[] = [];
  if (away !== undefined) reasons.push(away);
  const instances = view?.staleInstances ?? 0;
  if (instances > 0) reasons.push(`${instances} instances are known from an earlier epoch alone`);
  return {
    ready: view !== undefined,
    stale: view !== undefined && reasons.length > 0,
    position: view?.position,
    routes: view?.table.size ?? 0,
    reasons: tokensFault === undefined ? reasons : [...reasons, tokensFault],
  };
}
