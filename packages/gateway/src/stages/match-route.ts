// 404 405 501 503: which route, from the table that the exchange began with.
import type { Exchange } from '../exchange.ts';
import { methodClass, type Route } from '../routes/route.ts';
import { type Refusal, refuse } from './refusal.ts';

const noService = 'no service is registered for this path';
/** The two ports of `reg up` are easily mixed up, by clients too, which show this. */
const asksForRegistry =
  /^\/v1\/(?:services|leases|paths|history|snapshot|changes|gateways|health|explain|openapi)\b/;
const noRegistry = `this is a gateway, and ${noService}: the registry has a port of its own (3100)`;

export function matchRoute(
  { table, request }: Pick<Exchange, 'table' | 'request'>,
  path: string,
): Route | Refusal {
  if (!table) {
    return refuse('catalog_unavailable', 'no snapshot of the registry yet', ['Retry-After', '1']);
  }
  if (isReserved(path)) return refuse('route_not_found', 'paths below /_reg are reserved');
  const route = table.find(path);
  if (!route) return refuse('route_not_found', asksForRegistry.test(path) ? noRegistry : noService);
  if (route.upstreams.length === 0) return route; // down, not unknown: who may call is asked first
  if (route.takes[methodClass(request.method)] || speaksNoHttp(route)) return route;
  return refuse('method_not_allowed', `${request.method} fits none of its endpoints`, [
    'Allow',
    allowed(route),
  ]);
}

export function speaksNoHttp({ upstreams }: Route): boolean {
  return upstreams.every(({ targets }) => targets.length === 0);
}

function isReserved(path: string): boolean {
  return path === '/_reg' || path.startsWith('/_reg/');
}

/** The union over its instances; one of type `http` takes any, and then nothing is refused. */
function allowed({ takes }: Route): string {
  return [...(takes.read ? ['GET', 'HEAD'] : []), ...(takes.post ? ['POST'] : [])].join(', ');
}
