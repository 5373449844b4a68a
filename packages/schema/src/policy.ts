// What holds for a service beside its definition: how it is checked, what answers for it while it fails, how
// many of it there are, how long it may take. Everything has a default (defaults.ts).
import * as z from 'zod';
import { policyDefaults } from './defaults.ts';
import { serviceName } from './names.ts';
import { bsonTypeKey } from './record-key.ts';
import { anyText, text } from './text.ts';

const ms = (least: number, most: number) => z.int().min(least).max(most);
const aDayMs = 86_400_000;
const token = z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}$/, 'must be a token (RFC 9110 §5.6.2)');
const fieldValue = z.string().regex(/^[\x20-\x7e]{0,1024}$/, 'must be printable ASCII');
const headers = z
  .record(
    token.refine((name) => name !== bsonTypeKey, `must not be ${bsonTypeKey}`),
    fieldValue,
  )
  .refine((value) => Object.keys(value).length <= 32, 'must have at most 32 fields');
const method = z.string().regex(/^[A-Z][A-Z-]{0,31}$/, 'must be a method in capitals, like GET');

/** Where a check asks is the instance's first endpoint; `path` replaces that of its url. */
const httpCheck = z.strictObject({
  type: z.literal('http'),
  /** @default 'GET' */
  method: method.optional(),
  /** With its query. @default '/health' */
  path: z
    .string()
    .regex(/^\/[!-~]{0,1023}$/, 'must begin with / and be printable ASCII without spaces')
    .optional(),
  headers: headers.optional(),
  expect: z
    .strictObject({
      /** Any of these. @default every status from 200 to 299 */
      status: z.array(z.int().min(100).max(599)).min(1).max(32).optional(),
      /** A piece of the answer's first 64 KiB. */
      body: text(1024).optional(),
    })
    .optional(),
  /** A longer answer is a warning: it passes, and says so. */
  warnAfterMs: ms(1, 60_000).optional(),
});

const tcpCheck = z.strictObject({
  type: z.literal('tcp'),
  /** @default that of the first endpoint */
  port: z.int().min(1).max(65_535).optional(),
  warnAfterMs: ms(1, 60_000).optional(),
});

export const check = z.discriminatedUnion('type', [httpCheck, tcpCheck]);

/** When checks are made, and how many in a row it takes. */
export const checking = z.strictObject({
  intervalMs: ms(100, aDayMs).optional(),
  timeoutMs: ms(10, 60_000).optional(),
  /** So many failed in a row: failing. */
  failures: z.int().min(1).max(100).optional(),
  /** So many passed in a row: passing. */
  passes: z.int().min(1).max(100).optional(),
  /** A failing instance is drained at once, and unregistered after so long. */
  unregisterAfterMs: ms(0, aDayMs).optional(),
});

/** What answers where no instance does; tried in this order. */
const fallbackSource = z.discriminatedUnion('kind', [
  /** The last good answer to the same question of the same caller. */
  z.strictObject({
    kind: z.literal('cache'),
    maxAgeMs: ms(1_000, 7 * aDayMs).optional(),
    /** Whoever asks gets it: what it says is not for one caller alone. */
    public: z.boolean().optional(),
  }),
  /** Another service, at the same remainder of the path, where the caller may call that one too. */
  z.strictObject({ kind: z.literal('service'), service: serviceName }),
  z.strictObject({
    kind: z.literal('static'),
    /** @default 200 */
    status: z.int().min(200).max(599).optional(),
    headers: headers.optional(),
    /** @default 'application/json' */
    contentType: fieldValue.optional(),
    body: anyText(64 * 1024),
  }),
  /** Of merged endpoints those that answer, as `partial: 'allow'` of a registration says. */
  z.strictObject({ kind: z.literal('partial') }),
]);

export const fallback = z.strictObject({
  use: z.array(fallbackSource).min(1).max(4),
  /** What may be answered so; a method that changes something must be named. @default ['GET', 'HEAD'] */
  methods: z.array(method).min(1).max(16).optional(),
});

/** What counts as high load; any of them. */
const highLoad = z.strictObject({
  /** Requests under way at each instance, on average. */
  inFlight: z.int().min(1).max(100_000).optional(),
  p99Ms: ms(1, 600_000).optional(),
  /** Requests a second that were refused for want of an instance, or timed out. */
  refusalsPerSecond: z.number().min(0.01).max(1_000_000).optional(),
});

export const scaling = z
  .strictObject({
    min: z.int().min(0).max(1_000).optional(),
    max: z.int().min(0).max(1_000).optional(),
    highLoad: highLoad.optional(),
    /** It is asked for one more after the load was high for so long. */
    highForMs: ms(0, aDayMs).optional(),
    /** One goes after the load was below half of what is high for so long. */
    lowForMs: ms(0, aDayMs).optional(),
    /** After one came, so long until the next one is asked for. */
    coolDownUpMs: ms(0, aDayMs).optional(),
    coolDownDownMs: ms(0, aDayMs).optional(),
    /** One that was asked for and has not registered by then is asked for again. */
    pendingMs: ms(1_000, aDayMs).optional(),
  })
  .superRefine(({ min = policyDefaults.scaling.min, max }, context) => {
    if (max === undefined || min <= max) return;
    context.addIssue({ code: 'custom', path: ['max'], message: 'must not be less than min' });
  });

/** Of the gateway's trip to one instance. What is left out is as the gateway's own options have it. */
export const timeouts = z.strictObject({
  connectMs: ms(1, 600_000).optional(),
  /** Until the head of the answer. */
  firstByteMs: ms(1, aDayMs).optional(),
  /** Nothing comes of the answer; of a WebSocket, nothing passes either way. */
  idleMs: ms(1, aDayMs).optional(),
  /** The whole exchange. @default no limit */
  totalMs: ms(1, aDayMs).optional(),
});

/** What the registry keeps with the definition of a service, and everybody who follows it sees: it runs nothing. */
export const servicePolicy = z.strictObject({
  checks: z.array(check).max(8).optional(),
  checking: checking.optional(),
  fallback: fallback.optional(),
  scaling: scaling.optional(),
  timeouts: timeouts.optional(),
});

export type Check = z.infer<typeof check>;
export type ServicePolicy = z.infer<typeof servicePolicy>;
