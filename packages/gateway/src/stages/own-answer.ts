// What the gateway answers itself, below the reserved path: its health, in two words, for load balancers that
// reach no port but this one. Reasons are for operators: they are told where the API is served.
import type { GatewayHealth } from '@reg/schema';
import type { GatewayRequest } from '../exchange.ts';
import { type Refusal, refuse } from './refusal.ts';

const healthPath = '/_reg/health';

export interface OwnAnswer {
  readonly kind: 'own';
  /** JSON. */
  readonly text: string;
}

/** @param path of the request, without its query @returns undefined: it is not ours to answer */
export function ownAnswer(
  { method, target }: GatewayRequest,
  path: string,
  health: () => GatewayHealth,
): OwnAnswer | Refusal | undefined {
  if (path !== healthPath) return undefined;
  if (method !== 'GET' && method !== 'HEAD') {
    return refuse('method_not_allowed', 'health is read', ['Allow', 'GET, HEAD']);
  }
  const query = target.slice(path.length);
  if (query !== '' && query !== '?check=ready' && query !== '?check=live') {
    return refuse('invalid_request', 'the query may be check=live or check=ready');
  }
  const { live, ready } = health();
  if (!ready.ok && query !== '?check=live') {
    return refuse('not_ready', 'it takes no new requests', ['Retry-After', '1']);
  }
  return { kind: 'own', text: JSON.stringify({ live: live.ok, ready: ready.ok }) };
}
