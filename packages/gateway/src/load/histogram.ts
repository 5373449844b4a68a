// How long answers took, counted in fixed buckets: four to an octave, so what is told is at most 19 % too long, from
// below 1 ms to above a minute. Counting allocates nothing.

/** Bucket 0 is up to 1 ms, the last one all beyond 2^16 ms. */
const octaves = 16;
const perOctave = 4;
export const bucketCount = octaves * perOctave + 2;

export function bucketOf(ms: number): number {
  if (!(ms > 1)) return 0;
  return Math.min(bucketCount - 1, Math.ceil(Math.log2(ms) * perOctave));
}

/** The longest that counts in this bucket; of the last one, where it begins. */
export function boundMs(bucket: number): number {
  return 2 ** (Math.min(bucket, bucketCount - 2) / perOctave);
}

/** So many of all took no longer. 0 where nothing was counted. @param share 0.99 */
export function quantileMs(counts: ArrayLike<number>, share: number): number {
  let total = 0;
  for (let bucket = 0; bucket < bucketCount; bucket++) total += counts[bucket] ?? 0;
  if (total === 0) return 0;
  let left = Math.ceil(total * share);
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    left -= counts[bucket] ?? 0;
    if (left <= 0) return Math.round(boundMs(bucket) * 10) / 10;
  }
  return Math.round(boundMs(bucketCount - 1) * 10) / 10;
}
