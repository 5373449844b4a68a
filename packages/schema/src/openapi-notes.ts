// What openapi.ts says that no table or schema of ours does.
import type { OperationName } from './operations.ts';

interface Note {
  readonly summary: string;
  readonly description?: string;
  /** A request header that the operation reads. */
  readonly header?: string;
  /** Other successes than 200; one below 300 has the same content. */
  readonly also?: Readonly<Record<number, string>>;
}

const oneRun = 'Name the run: exactly one of generation, runId or force=true.';

/** What the table of shapes does not say. */
export const notes: Record<OperationName, Note> = {
  register: { summary: 'Register or update an instance', also: { 201: 'it was not listed before' } },
  renew: { summary: 'Renew a lease' },
  renewMany: { summary: 'Renew many leases' },
  drain: { summary: 'Drain an instance', description: oneRun },
  unregister: { summary: 'Unregister an instance', description: oneRun },
  movePath: { summary: 'Move a path to another service' },
  history: { summary: 'Read the history' },
  addNotes: { summary: 'Add notes to the history' },
  reportLoad: {
    summary: 'Report the load of a service',
    description: 'What somebody knows, what a gateway measured, or what an instance measured of itself.',
  },
  setPolicy: { summary: 'Set or take away a service’s policy', description: 'An empty one takes it away.' },
  scale: {
    summary: 'Say how many instances there should be',
    description: 'Null gives it back to the policy.',
  },
  listServices: { summary: 'List services', header: 'If-None-Match', also: { 304: 'unchanged' } },
  getService: { summary: 'List one service', header: 'If-None-Match', also: { 304: 'unchanged' } },
  snapshot: { summary: 'Take a snapshot' },
  changes: {
    summary: 'Follow changes',
    description: 'Server-Sent Events: the data of an event `change` is a ChangeSet, its id the position.',
    header: 'Last-Event-ID',
  },
  reportApplied: { summary: 'Report what a gateway has applied' },
  health: { summary: 'Health' },
  explain: {
    summary: 'Explain what would become of a request',
    description:
      'The caller’s token, if any, comes in X-Reg-Caller-Token: it is verified and never told again.',
    header: 'X-Reg-Caller-Token',
  },
  openapi: { summary: 'Read this API as OpenAPI' },
};

/** `Problem` of problem.ts. */
export const problemSchema = {
  description: 'application/problem+json (RFC 9457); every code is in docs/errors.md',
  type: 'object',
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string' },
    retryable: { type: 'boolean' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        properties: { field: { type: 'string' }, message: { type: 'string' } },
        required: ['field', 'message'],
      },
    },
  },
  required: ['type', 'title', 'status', 'code', 'retryable', 'detail', 'instance'],
};
