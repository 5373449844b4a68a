// What an operation is given: parsed by the contract, so no handler checks anything again.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { type Body, contract, type FieldFault, type OperationName, type Query, regError } from '@reg/schema';
import { bodyFaults, readText } from './body.ts';
import { faultsOf, type Issue } from './faults.ts';
import { parseJson } from './json.ts';
import { readQuery } from './query.ts';

export interface Input<Name extends OperationName> {
  readonly parameters: ReturnType<(typeof contract)[Name]['parameters']['parse']>;
  readonly query: Query<Name>;
  readonly body: Body<Name>;
  readonly headers: IncomingHttpHeaders;
}

/** A schema, as far as this file needs one. */
interface Shape {
  safeParse(
    value: unknown,
  ): { success: true; data: unknown } | { success: false; error: { issues: Issue[] } };
}

const maxFaults = 20;
/** A registration at every limit of its fields fits in. */
const maxBodyBytes = 256 * 1024;
/** A thousand renewals in one body. */
const maxRenewalsBytes = 1024 * 1024;

/** @throws `invalid_request` with every field at fault, or what makes the request unreadable */
export async function readInput<Name extends OperationName>(
  name: Name,
  parameters: Readonly<Record<string, string>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Input<Name>> {
  const shapes: { parameters: Shape; query: Shape; body?: Shape } = contract[name];
  const query = readQuery(request.url ?? '');
  const faults = query.faults;
  const input = {
    parameters: checked(shapes.parameters, parameters, 'path', faults),
    query: checked(shapes.query, query.values, 'query', faults),
    body: shapes.body && checked(shapes.body, await readJson(name, request, response), 'body', faults),
    headers: request.headers,
  };
  if (!shapes.body) faults.push(...bodyFaults(request));
  if (faults.length > 0) throw invalid(faults);
  return input as Input<Name>; // the shapes of `name` made it
}

async function readJson(
  name: OperationName,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<unknown> {
  const limitBytes = name === 'renewMany' ? maxRenewalsBytes : maxBodyBytes;
  return parseJson(await readText(request, response, limitBytes));
}

function checked(shape: Shape, value: unknown, root: string, faults: FieldFault[]): unknown {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  faults.push(...faultsOf(result.error.issues, root));
  return undefined;
}

/** One fault per field, the first: a value of the wrong type may fail more checks, which say less. */
function invalid(faults: readonly FieldFault[]) {
  const byField = new Map(faults.toReversed().map((fault) => [fault.field, fault]));
  const errors = [...byField.values()].reverse();
  const [first] = errors;
  const others = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return regError('invalid_request', `${first?.field}: ${first?.message}${others}`, {
    errors: errors.slice(0, maxFaults),
  });
}
