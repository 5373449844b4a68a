import { formatPosition, type Position } from '@reg/schema';

/** Weak (RFC 9110 §8.8.1): a listing also shows ends of leases, which move without a revision. */
export function listingEtag({ holdingBack, ...position }: Position & { holdingBack: boolean }): string {
  return `W/"${formatPosition(position)}${holdingBack ? '-held' : ''}"`;
}

/** If-None-Match (RFC 9110 §13.1.2), compared weakly. */
export function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((one) => opaque(one) === opaque(etag));
}

function opaque(etag: string): string {
  return etag.trim().replace(/^W\//, '');
}
