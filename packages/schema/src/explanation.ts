// What would become of a request, and why: nothing is sent, nothing is counted.
import * as z from 'zod';
import { type GatewayHealth, gatewayHealth } from './health.ts';
import { access, authorizedRoles } from './service.ts';

const reason = z.strictObject({
  /** A stable word. */
  code: z.string(),
  /** For people; its wording may change. */
  text: z.string(),
});

/** A public path that nearly is the one asked for, or that matches it too and is shorter. */
const nearMiss = z.strictObject({
  service: z.string(),
  url: z.string(),
  why: z.enum(['shorter', 'case', 'encoding', 'boundary', 'similar', 'deeper', 'sibling']),
  text: z.string(),
});

/** Of a merged answer. */
const explainedPart = z.strictObject({
  as: z.string().optional(),
  type: z.string(),
  method: z.string(),
  url: z.string(),
});

const explainedInstance = z.strictObject({
  instanceId: z.string(),
  /** It gets new requests like this one. */
  in: z.boolean(),
  reasons: z.array(reason),
  /** Where the request would go there, without its query. */
  url: z.string().optional(),
  /** With `merge`: all of them are asked. */
  parts: z.array(explainedPart).optional(),
  partial: z.enum(['allow', 'refuse']).optional(),
});

export const explanation = z.strictObject({
  method: z.string(),
  /** Without the query, which may hold secrets. */
  path: z.string(),
  outcome: z.strictObject({
    /** An instance would be asked. */
    ok: z.boolean(),
    /** Where it would end: the stage that refuses, or `dispatch`; a fallback may answer there. */
    stage: z.enum(['accept', 'match', 'authenticate', 'authorize', 'dispatch']),
    /** Left out where it is ok: the answer is the instance's. */
    status: z.int().optional(),
    /** Of the problem; left out where there is none. */
    code: z.string().optional(),
    detail: z.string(),
  }),
  /** Of the view that it was judged by. */
  view: gatewayHealth.pick({ stale: true, position: true }),
  /** Left out where no public path matches. */
  route: z.strictObject({ service: z.string(), url: z.string(), access, authorizedRoles }).optional(),
  /** The nearest first, at most 5. */
  nearMisses: z.array(nearMiss),
  /** Left out where no public path matches: a token is looked at only then. */
  caller: z
    .strictObject({
      token: z.enum(['valid', 'refused', 'not_asked']),
      /** Why it is refused. */
      detail: z.string().optional(),
      subject: z.string().optional(),
      /** Roles that it holds. */
      roles: z.array(z.string()).optional(),
    })
    .optional(),
  instances: z.array(explainedInstance),
  /** Instance ids: which would be tried now, and which then where that is allowed. */
  order: z.array(z.string()),
  /** What would answer where no instance does, in this order; left out where the policy has nothing for it. */
  fallback: z
    .array(
      z.strictObject({
        kind: z.enum(['cache', 'service', 'static', 'partial']),
        /** It would at this moment. */
        answers: z.boolean(),
        /** Where it is known. */
        status: z.int().optional(),
        text: z.string(),
      }),
    )
    .optional(),
  /** Whether another instance would be tried after a failure. */
  retry: z.strictObject({
    /** It could not be connected to. */
    unconnected: z.boolean(),
    /** It broke off without a byte of an answer, and the request had no body. */
    unanswered: z.boolean(),
    /** The same, of a request with a body. */
    unansweredWithBody: z.boolean(),
  }),
});

export type Explanation = z.infer<typeof explanation>;
export type NearMiss = z.infer<typeof nearMiss>;
export type ExplainedInstance = z.infer<typeof explainedInstance>;

export interface ExplainQuestion {
  readonly method: string;
  /** The request target: `/tickets/1?sort=asc`. */
  readonly target: string;
  /** The caller's, without its scheme. It is verified, and never told again. */
  readonly token?: string | undefined;
}

/** What a gateway tells of itself: the gateway satisfies it, and whoever serves the API beside it takes it. */
export interface GatewayReasons {
  health(): GatewayHealth;
  explain(question: ExplainQuestion): Promise<Explanation>;
}
