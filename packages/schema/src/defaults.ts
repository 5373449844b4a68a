// What holds where nothing is said. Without zod, so that the client can have it, too.

/** What a registration over HTTP and by the client gets when it names no lease. */
export const defaultLeaseMs = 10_000;

/** What holds where a policy says nothing. */
export const policyDefaults = {
  checking: { intervalMs: 10_000, timeoutMs: 2_000, failures: 3, passes: 2, unregisterAfterMs: 60_000 },
  http: { method: 'GET', path: '/health' },
  fallback: { methods: ['GET', 'HEAD'], maxAgeMs: 300_000, status: 200, contentType: 'application/json' },
  scaling: {
    min: 1,
    max: 10,
    highForMs: 10_000,
    lowForMs: 60_000,
    coolDownUpMs: 30_000,
    coolDownDownMs: 60_000,
    pendingMs: 300_000,
  },
  /** Of a gateway whose options say nothing else. */
  timeouts: { connectMs: 1_000, firstByteMs: 30_000, idleMs: 60_000 },
} as const;
