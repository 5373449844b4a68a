// How loaded a service is: what gateways and instances measured of late, and what somebody told. It is kept in
// memory for a while, and makes no revision. What counts as high is for whoever reads it to say.
import * as z from 'zod';
import { gatewayId, instanceId } from './names.ts';
import { text } from './text.ts';

const count = z.number().min(0).max(1_000_000_000);

const loadFigures = z.strictObject({
  /** Requests under way. */
  inFlight: z.int().min(0).max(1_000_000_000),
  /** Until the head of the answer, of the last seconds: 99 of 100 took no longer. */
  p99Ms: count,
  /** For want of an instance, or since none answered in time. */
  refusalsPerSecond: count,
  requestsPerSecond: count,
});

/** Where nobody says one of them. */
const knownFigures = loadFigures.partial().shape;

/** Somebody knows it, who measures elsewhere. */
const toldLoad = z.strictObject({
  /** `normal` of no instance ends what was told before, by whomever. */
  level: z.enum(['high', 'normal']),
  /** How long it holds unless it is told anew. @default 60_000 */
  forMs: z.int().min(1_000).max(86_400_000).optional(),
  /** Who says so. @default the token's name, or its instance */
  by: text(200).optional(),
  /** An instance speaks for itself alone: its `normal` ends its own `high`. */
  instanceId: instanceId.optional(),
});

/** What a gateway measured of the requests that it sent to the service; it says so again each second. */
const gatewayLoad = z.strictObject({ gateway: gatewayId, ...loadFigures.shape });

/** What an instance measured itself; what it leaves out it does not know. */
const instanceLoad = z.strictObject({ instanceId, ...knownFigures });

/** The body of `POST /v1/services/{service}/load`: one of three. */
export const loadReport = z.union([toldLoad, gatewayLoad, instanceLoad], {
  error: 'must be { level, forMs?, by?, instanceId? }, { gateway, … } or { instanceId, … }',
});

/** As it stands in a listing. Left out: nothing was said of it lately. */
export const serviceLoad = z.strictObject({
  /** The larger of what all gateways and of what all instances say together; of `p99Ms` the largest that any says. */
  ...knownFigures,
  /** How many of them said something lately. */
  gateways: z.int().min(0),
  told: z
    .strictObject({
      level: z.enum(['high', 'normal']),
      /** Milliseconds since 1970. */
      until: z.int(),
      by: z.string(),
    })
    .optional(),
});

export type LoadReport = z.infer<typeof loadReport>;
export type ServiceLoad = z.infer<typeof serviceLoad>;

/** What is measured of a service. */
export type LoadFigures = z.infer<typeof loadFigures>;

/** What a gateway measured of one service. */
export interface MeasuredLoad extends Readonly<LoadFigures> {
  readonly service: string;
  /** Its policy says how it is scaled: somebody waits for the figures. */
  readonly isScaled: boolean;
}
