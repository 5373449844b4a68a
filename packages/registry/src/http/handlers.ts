// One function per operation: parsed input in, an answer out. They know neither Express nor sockets.
import { type OperationName, openapi, type Position, parsePosition, type Reply, regError } from '@reg/schema';
import type { Registry } from '../registry.ts';
import type { Asking } from '../writer.ts';
import type { Caller } from './caller.ts';
import { listingEtag, matchesEtag } from './etag.ts';
import type { Input } from './input.ts';
import { createReasonHandlers, type GatewayBeside, healthBeside } from './reasons.ts';

export interface Answer<Content = unknown> {
  readonly status: number;
  /** Undefined: the answer has no body (304). */
  readonly content: Content | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** An answer that goes on: the changes after a position. */
export interface ChangesAnswer {
  readonly after: Position;
  /** It counts as connected while it follows. */
  readonly gateway: string | undefined;
  /** Whether who asked may still be told. */
  readonly lasts: () => boolean;
}

interface ReadQuery {
  readonly seen?: Position | undefined;
  readonly after?: Position | undefined;
  /** Milliseconds. */
  readonly wait?: number | undefined;
}

/** Typed over every operation, so that none can be missing. `ended`: nobody waits for the answer any more. */
export type Handlers = {
  readonly [Name in OperationName]: (
    input: Input<Name>,
    ended: () => AbortSignal,
    caller: Caller,
  ) => Name extends 'changes' ? ChangesAnswer : Answer<Reply<Name>> | Promise<Answer<Reply<Name>>>;
};

/** A long poll that names no `wait`. */
const defaultPollMs = 30_000;

export interface Beside {
  readonly gateway: GatewayBeside;
  /** The API is closing. */
  readonly signal: AbortSignal;
}

export function createHandlers(registry: Registry, { gateway, signal }: Beside): Handlers {
  let document: Reply<'openapi'> | undefined; // made when it is first asked for, which is mostly never

  async function waitToRead({ seen, after, wait = defaultPollMs }: ReadQuery, ended: () => AbortSignal) {
    if (seen) await registry.seen(seen, ended());
    if (after) await registry.newerThan(after, wait, ended());
  }

  return {
    async register({ parameters, body, query }, _, caller) {
      const options = { ...waiting(query), ...asking(caller) };
      const { created, ...reply } = await registry.register(parameters, body, options);
      return { status: created ? 201 : 200, content: reply };
    },
    async renew({ parameters, body }, _, { writer }) {
      return ok(await registry.renew(parameters, body.generation, { load: body.load, writer }));
    },
    async renewMany({ body }, _, { writer }) {
      return ok(await registry.renewMany(body.renewals, writer));
    },
    async drain({ parameters, query }, _, caller) {
      const options = { ...waiting(query), reason: query.reason, ...asking(caller) };
      return ok(await registry.drain(parameters, run(query), options));
    },
    async unregister({ parameters, query }, _, caller) {
      const leaving = { reason: query.reason, ...asking(caller) };
      return ok(await registry.unregister(parameters, run(query), leaving));
    },
    async movePath({ body }, _, caller) {
      return ok(await registry.movePath(body, asking(caller)));
    },
    history({ query }) {
      return ok(registry.history(query));
    },
    async addNotes({ body }, _, caller) {
      return ok(await registry.addNotes(body.notes, asking(caller)));
    },
    reportLoad({ parameters, body }, _, caller) {
      registry.reportLoad(parameters.service, body, asking(caller));
      return ok({});
    },
    async setPolicy({ parameters, body }, _, caller) {
      return ok(await registry.setPolicy(parameters.service, body, asking(caller)));
    },
    async scale({ parameters, body }, _, caller) {
      return ok(await registry.scale(parameters.service, body.instances, asking(caller)));
    },
    async listServices({ query, headers }, ended) {
      await waitToRead(query, ended);
      return listing(registry.listServices(), headers['if-none-match']);
    },
    async getService({ parameters, query, headers }, ended) {
      await waitToRead(query, ended);
      return listing(registry.getService(parameters.service), headers['if-none-match']);
    },
    async snapshot({ query }, ended) {
      await waitToRead(query, ended);
      return ok(registry.snapshot());
    },
    changes({ query, headers }, _, { lasts }) {
      return {
        after: startOf(headers['last-event-id'], query.after) ?? registry.position(),
        gateway: query.gateway,
        lasts,
      };
    },
    reportApplied({ parameters, body }) {
      registry.reportApplied(parameters.id, body);
      return ok({});
    },
    ...createReasonHandlers(() => healthBeside(registry, gateway, signal.aborted), gateway),
    openapi() {
      document ??= { ...openapi() };
      return ok(document);
    },
  };
}

function asking({ writer, by, from }: Caller): Asking {
  return { writer, origin: { by, from } };
}

function ok<Content>(content: Content): Answer<Content> {
  return { status: 200, content };
}

function listing<Content extends Position & { holdingBack: boolean }>(
  content: Content,
  ifNoneMatch: string | undefined,
): Answer<Content> {
  const headers = { ETag: listingEtag(content) };
  if (matchesEtag(ifNoneMatch, headers.ETag)) return { status: 304, content: undefined, headers };
  return { status: 200, content, headers };
}

function waiting(query: { waitFor?: 'gateways' | undefined; wait?: number | undefined }) {
  return { waitFor: query.waitFor, waitMs: query.wait };
}

function run(query: {
  generation?: number | undefined;
  runId?: string | undefined;
  force?: 'true' | undefined;
}) {
  return { generation: query.generation, runId: query.runId, force: query.force && true };
}

/** A resuming reader repeats its first URL, so what it saw last goes first (WHATWG HTML §9.2.3). */
function startOf(
  lastEventId: string | string[] | undefined,
  after: Position | undefined,
): Position | undefined {
  if (lastEventId === undefined) return after;
  const position = parsePosition(String(lastEventId));
  if (position) return position;
  throw regError('invalid_request', 'Last-Event-ID must be a position: epoch.revision', {
    errors: [{ field: 'Last-Event-ID', message: 'must be a position: epoch.revision' }],
  });
}
