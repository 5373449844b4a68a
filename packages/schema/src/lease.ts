// The right to be listed until a moment unless renewed.
import * as z from 'zod';

export const leaseSetting = z.union(
  [
    z.strictObject({
      /** How long the instance stays listed without a renewal, in milliseconds. */
      ttlMs: z.int().min(1_000, 'must be 1000 ms or more').max(86_400_000, 'must be a day or less'),
    }),
    z.literal('none'),
  ],
  { error: 'must be { ttlMs } (1000 to 86400000) or "none"' },
);

/** Granted by the registry, never chosen; grows with every run of an instance. */
export const generation = z.int().min(1);

/** How the event loop of a process fared since its last renewal; a renewal may carry it. */
export const loopLoad = z.strictObject({
  /** 0: the loop only waited; 1: it never did. */
  loopUtilization: z.number().min(0).max(1),
  /** The longest that something which was due had to wait. */
  loopDelayMs: z.int().min(0),
});

export type LoopLoad = z.infer<typeof loopLoad>;
export type LeaseSetting = z.infer<typeof leaseSetting>;
