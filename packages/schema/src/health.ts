// What registry and gateway say of themselves: live and ready apart, each with its reasons.
import * as z from 'zod';
import { revision } from './change.ts';
import { epoch } from './snapshot.ts';

/**
 * `closing`: it ends, and finishes what it has. `no_catalog`: no snapshot of the registry yet. `keys_unavailable`: tokens
 * cannot be checked, or by old keys alone. `stale_view`:
 * it serves from a view that no registry, or its store, confirms. `unconfirmed_instances`: some instances are known from an
 * earlier epoch alone. `holding_back`: the reaper expires nobody. `store_unavailable`: the store failed.
 * `answers_degraded`: a fallback answered for a service in the last minute.
 * `invalid_documents`: somebody wrote into the store what means nothing; it is left alone.
 */
const healthCode = z.enum([
  'closing',
  'no_catalog',
  'keys_unavailable',
  'stale_view',
  'unconfirmed_instances',
  'holding_back',
  'store_unavailable',
  'answers_degraded',
  'invalid_documents',
]);

/** One thing that is not as it should be. */
const healthReason = z.strictObject({
  code: healthCode,
  /** For people; its wording may change. */
  text: z.string(),
  /** Since when, in milliseconds since 1970, where that is known. */
  since: z.int().optional(),
});

/** `ok` with reasons: warnings. Else they say why not. */
const healthCheck = z.strictObject({ ok: z.boolean(), reasons: z.array(healthReason) });

const summary = {
  /** `ok`: there is no reason at all. */
  status: z.enum(['ok', 'degraded']),
  /** The texts of all reasons. */
  reasons: z.array(z.string()),
  /** The process need not be started again: who cannot say so does not answer. */
  live: healthCheck,
  /** Requests may be sent to it. */
  ready: healthCheck,
};

/** What somebody wrote into the store by hand, and the registry cannot read. */
const invalidDocument = z.strictObject({
  /** Its `_id`, as text. */
  id: z.string(),
  /** `endpoints.0.url`; empty where it is the document as a whole. */
  path: z.string(),
  message: z.string(),
});

export const registryHealth = z.strictObject({
  ...summary,
  /** `memory`, `mongodb replica set`, `mongodb standalone` */
  store: z.string(),
  epoch,
  revision,
  services: z.int(),
  instances: z.int(),
  holdingBack: z.boolean(),
  /** Documents that are left alone, the first hundred; left out where there is none. */
  invalid: z.strictObject({ count: z.int(), documents: z.array(invalidDocument) }).optional(),
  /** Connected gateways and the revision each has applied. */
  gateways: z.array(z.strictObject({ id: z.string(), epoch, revision })),
});

export const gatewayHealth = z.strictObject({
  ...summary,
  /** It serves from a view that the registry has not confirmed lately, or that holds what only an earlier epoch knew. */
  stale: z.boolean(),
  /** What it has applied; left out before the first snapshot. */
  position: z.strictObject({ epoch, revision }).optional(),
  /** Public paths it knows. */
  routes: z.int(),
  /** Answers by fallbacks since the start; left out where there was none. */
  degradedAnswers: z.int().optional(),
});

/** Of a registry, with the gateway in its process if there is one; or of a gateway alone. The summary is of both. */
export const health = z.union([
  z.strictObject({ ...registryHealth.shape, gateway: gatewayHealth.optional() }),
  z.strictObject({ ...summary, gateway: gatewayHealth }),
]);

const shortCheck = z.strictObject({ ok: z.boolean() });

/** Where the registry has a token and the caller none: what a load balancer needs. */
export const healthForAnybody = z.strictObject({
  status: summary.status,
  live: shortCheck,
  ready: shortCheck,
});

/** What is shown to who may read. */
export type FullHealth = z.infer<typeof health>;
export type InvalidDocument = z.infer<typeof invalidDocument>;
export type HealthReason = z.infer<typeof healthReason>;
export type HealthCheck = z.infer<typeof healthCheck>;
export type RegistryHealth = z.infer<typeof registryHealth>;
export type GatewayHealth = z.infer<typeof gatewayHealth>;
/** What both have in common. */
export type HealthSummary = Pick<GatewayHealth, keyof typeof summary>;

/** Fatal ones make it not ready; the others are told, and it serves on. */
export function summarize(fatal: readonly HealthReason[], warnings: readonly HealthReason[]): HealthSummary {
  const reasons = [...fatal, ...warnings];
  return {
    status: reasons.length === 0 ? 'ok' : 'degraded',
    reasons: reasons.map(({ text }) => text),
    live: { ok: true, reasons: [] },
    ready: { ok: fatal.length === 0, reasons },
  };
}
