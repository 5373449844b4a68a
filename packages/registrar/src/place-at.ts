import type { Place } from './policies/policy-file.ts';

/** Where a URL leads. An IPv6 address is without its brackets, as sockets and `fillIn` take it. */
export function placeAt(url: string): Pick<Place, 'host' | 'port'> {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || undefined };
}
