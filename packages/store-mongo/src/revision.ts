// The registry's clock over a replica set is the cluster's own: every write has a timestamp of its own there,
// and all of one transaction share one. So revisions need no counter that everybody writes to.
import type { mongo } from 'mongoose';

const secondsAt2020 = Date.UTC(2020) / 1_000;
/** More writes in one second than any cluster makes; 2^33 seconds are 272 years, so all stays below 2^53. */
const perSecond = 2 ** 20;

/** @param clusterTime seconds since 1970, and a counter within the second */
export function revisionOf({ high, low }: Pick<mongo.Timestamp, 'high' | 'low'>): number {
  return ((high >>> 0) - secondsAt2020) * perSecond + (low >>> 0);
}

/** When the write was made, by the cluster's clock: milliseconds since 1970, to the second. */
export function timeOf(revision: number): number {
  return (Math.floor(revision / perSecond) + secondsAt2020) * 1_000;
}
