// One table: what goes into each operation and what comes out. The server's handlers, the client's
// types and openapi.json are read off it; method, path and codes are those of `operations`.
import * as z from 'zod';
import { revision } from './change.ts';
import { parseDurationMs } from './duration.ts';
import { explanation } from './explanation.ts';
import { health, healthForAnybody } from './health.ts';
import { historyCursor, historyPage, note, notesAtOnce } from './history.ts';
import { generation, loopLoad } from './lease.ts';
import { loadReport } from './load.ts';
import { gatewayId, instanceId, runId, serviceName } from './names.ts';
import { type Operation, type OperationName, operations } from './operations.ts';
import { servicePolicy } from './policy.ts';
import { parsePosition } from './position.ts';
import { registrationBody } from './registration.ts';
import { publicPath, wantedInstances } from './service.ts';
import { epoch, serviceList, serviceListing, snapshot } from './snapshot.ts';
import { text } from './text.ts';

/** `5s`: how long the answer may wait. */
const wait = z
  .string()
  .refine(
    (value) => (parseDurationMs(value) ?? Number.POSITIVE_INFINITY) <= 60_000,
    'must be a duration up to 60s, like 5s',
  )
  .describe('a duration up to 60s, like 500ms or 5s')
  .transform((value) => parseDurationMs(value) ?? 0);

const waiting = { waitFor: z.literal('gateways').optional(), wait: wait.optional() };

/** A `wait` for nothing is a mistake: whoever wrote it believes that the answer waited. */
function waitsFor(what: 'waitFor' | 'after') {
  return (value: { [key in 'wait' | typeof what]?: unknown }, context: z.RefinementCtx): void => {
    if (value.wait === undefined || value[what] !== undefined) return;
    context.addIssue({
      code: 'custom',
      path: ['wait'],
      message: `says how long, but not for what: give ${what} too`,
    });
  };
}

/** `epoch.revision`. */
const seenPosition = z
  .string()
  .refine(parsePosition, 'must be a position: epoch.revision')
  .describe('a position: epoch.revision')
  .transform((value) => parsePosition(value));

/** A read that shows at least this, or says why not. */
const seen = seenPosition.optional();

/** Long poll: answered when there is something newer than `after`, or when `wait` is over. */
const listingQuery = z
  .strictObject({ seen, after: seenPosition.optional(), wait: wait.optional() })
  .superRefine(waitsFor('after'));

const servicePath = z.strictObject({ service: serviceName });
const instancePath = z.strictObject({ service: serviceName, id: instanceId });

/** Which run is meant. Exactly one; `force` is an operator's. */
const run = {
  generation: z.coerce.number().pipe(generation).optional(),
  runId: runId.optional(),
  force: z.literal('true').optional(),
};

function namesOneRun(value: { [key in keyof typeof run]?: unknown }, context: z.RefinementCtx): void {
  const named = [value.generation, value.runId, value.force].filter((one) => one !== undefined);
  if (named.length === 1) return;
  context.addIssue({
    code: 'custom',
    path: ['generation'],
    message: "name the run by generation or runId; force=true is an operator's",
  });
}

const reason = text(200).optional();
const position = z.strictObject({ epoch, revision });
const missing = z.array(z.string()).optional();

/** Milliseconds since 1970; null without a lease. */
const leaseUntil = z.int().min(0).nullable();

const load = loopLoad.optional();

const renewal = z.strictObject({ service: serviceName, id: instanceId, generation, load });

const renewalResult = z.union([
  z.strictObject({ service: z.string(), id: z.string(), leaseUntil }),
  z.strictObject({
    service: z.string(),
    id: z.string(),
    code: z.enum(['not_permitted', 'instance_foreign', 'instance_not_found', 'generation_superseded']),
    detail: z.string(),
  }),
]);

/** As a target's own parts are judged by the gateway, whatever it is may be asked about. */
const explainQuery = z.strictObject({
  method: z
    .string()
    .regex(/^[A-Z][A-Z-]{0,31}$/, 'must be a method in capitals, like GET')
    .optional(),
  target: z.string().min(1, 'must not be empty').describe('a request target, like /tickets/1'),
});

/** OpenAPI's own shape is not ours to say again. */
const document = z.looseObject({ openapi: z.string() });

const nothing = z.strictObject({});

interface Shapes {
  /** Parameters of the path, decoded. */
  readonly parameters: z.ZodType;
  readonly query: z.ZodType;
  /** Left out: the operation takes no body. */
  readonly body?: z.ZodType;
  /** Left out: the reply is a stream of events. */
  readonly reply?: z.ZodType;
}

const shapes = {
  register: {
    parameters: instancePath,
    query: z.strictObject(waiting).superRefine(waitsFor('waitFor')),
    body: registrationBody,
    reply: z.strictObject({
      instanceId,
      generation,
      leaseUntil,
      ...position.shape,
      /** Connected gateways that had not applied it when the wait ended; only with `waitFor`. */
      missing,
    }),
  },
  renew: {
    parameters: instancePath,
    query: nothing,
    body: z.strictObject({ generation, load }),
    reply: z.strictObject({ leaseUntil }),
  },
  renewMany: {
    parameters: nothing,
    query: nothing,
    body: z.strictObject({ renewals: z.array(renewal).min(1).max(1_000) }),
    reply: z.strictObject({ results: z.array(renewalResult) }),
  },
  drain: {
    parameters: instancePath,
    query: z
      .strictObject({ ...run, reason, ...waiting })
      .superRefine(namesOneRun)
      .superRefine(waitsFor('waitFor')),
    reply: z.strictObject({ ...position.shape, missing }),
  },
  unregister: {
    parameters: instancePath,
    query: z.strictObject({ ...run, reason }).superRefine(namesOneRun),
    reply: position,
  },
  movePath: {
    parameters: nothing,
    query: nothing,
    body: z.strictObject({ path: publicPath, from: serviceName, to: serviceName }),
    reply: position,
  },
  history: {
    parameters: nothing,
    query: z.strictObject({
      service: serviceName.optional(),
      /** Left out: the latest. */
      after: historyCursor.optional(),
      /** @default 100 */
      limit: z.coerce.number().pipe(z.int().min(1).max(1_000)).optional(),
    }),
    reply: historyPage,
  },
  addNotes: {
    parameters: nothing,
    query: nothing,
    body: z.strictObject({ notes: z.array(note).min(1).max(notesAtOnce) }),
    reply: position,
  },
  reportLoad: {
    parameters: servicePath,
    query: nothing,
    body: loadReport,
    reply: nothing,
  },
  setPolicy: { parameters: servicePath, query: nothing, body: servicePolicy, reply: position },
  scale: {
    parameters: servicePath,
    query: nothing,
    /** Null: as many as the policy says. */
    body: z.strictObject({ instances: wantedInstances.nullable() }),
    reply: position,
  },
  listServices: { parameters: nothing, query: listingQuery, reply: serviceList },
  getService: {
    parameters: servicePath,
    query: listingQuery,
    reply: serviceListing,
  },
  snapshot: { parameters: nothing, query: z.strictObject({ seen }), reply: snapshot },
  changes: {
    parameters: nothing,
    query: z.strictObject({
      /** `epoch.revision`; the header `Last-Event-ID` goes before it; neither: from now on. */
      after: seenPosition.optional(),
      gateway: gatewayId.optional(),
    }),
  },
  reportApplied: {
    parameters: z.strictObject({ id: gatewayId }),
    query: nothing,
    body: position,
    reply: nothing,
  },
  health: {
    parameters: nothing,
    query: z.strictObject({
      /** For load balancers: 503 where the answer is no. */
      check: z.enum(['live', 'ready']).optional(),
    }),
    reply: z.union([health, healthForAnybody]),
  },
  explain: { parameters: nothing, query: explainQuery, reply: explanation },
  openapi: { parameters: nothing, query: nothing, reply: document },
} as const satisfies Record<OperationName, Shapes>;

/** Everything about an operation, in one place. */
export const contract = Object.fromEntries(
  Object.entries(shapes).map(([name, shape]) => [name, { ...operations[name as OperationName], ...shape }]),
) as { readonly [Name in OperationName]: (typeof operations)[Name] & (typeof shapes)[Name] } satisfies Record<
  OperationName,
  Operation & Shapes
>;

type Infer<Shape> = Shape extends z.ZodType ? z.infer<Shape> : never;

/** What the caller sends, parsed; and what it gets. */
export type Body<Name extends OperationName> = 'body' extends keyof (typeof shapes)[Name]
  ? Infer<(typeof shapes)[Name]['body']>
  : never;
export type Reply<Name extends OperationName> = 'reply' extends keyof (typeof shapes)[Name]
  ? Infer<(typeof shapes)[Name]['reply']>
  : never;
export type Query<Name extends OperationName> = Infer<(typeof shapes)[Name]['query']>;
