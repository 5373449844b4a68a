// One call of an operation of the registry's HTTP API, by its name.
import type { Reply } from '@reg/schema';
import { calls, type OperationName, operationPath } from '@reg/schema/calls';
import {
  type FieldFault,
  isRegError,
  type ProblemCode,
  problems,
  type RegError,
  regError,
} from '@reg/schema/problem';
import { authorizationOf } from './registry-token.ts';

/** Where the registry is, and what it is shown. */
export interface RegistryAccess {
  /** One address or several, separated by commas: the next is tried where one does not answer, or with 503. */
  readonly registry: string;
  readonly registryToken?: string | undefined;
  /** By then (`performance.now()`) who asks wants to be done: a silent registry is waited for no longer. */
  readonly answerBy?: number | undefined;
}

interface Call extends RegistryAccess {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: unknown;
}

/** Longer than the registry itself ever waits where nobody asked it to. */
const answerWithinMs = 10_000;
/** However late it is. */
const leastAnswerMs = 1_000;

/** Of a list, who answered last: a command of two calls does not wait for a silent one twice. */
let answered: string | undefined;

/** @throws RegError: the registry's problem as it came, or `registry_unavailable` */
export async function callRegistry<Name extends OperationName>(name: Name, call: Call): Promise<Reply<Name>> {
  let failure: unknown;
  const addresses = call.registry.split(',').map((one) => one.trim());
  addresses.sort((one, other) => Number(other === answered) - Number(one === answered));
  for (const address of addresses) {
    try {
      const reply = (await callAddress(address, name, call)) as Reply<Name>;
      answered = address;
      return reply;
    } catch (error) {
      failure = error;
      if (isRegError(error) && error.status === 503) continue;
      answered = address; // a refusal is an answer too
      break;
    }
  }
  throw failure;
}

async function callAddress(address: string, name: OperationName, call: Call): Promise<unknown> {
  const { parameters, query, headers, body, registryToken, answerBy = Number.POSITIVE_INFINITY } = call;
  const leftMs = Math.max(leastAnswerMs, answerBy - performance.now());
  const withinMs = Math.ceil(Math.min(answerWithinMs, leftMs));
  const authorization = authorizationOf(registryToken);
  let status: number;
  let text: string;
  try {
    const response = await fetch(address.replace(/\/+$/, '') + operationPath(name, parameters, query), {
      method: calls[name].method,
      redirect: 'manual',
      signal: AbortSignal.timeout(withinMs),
      headers: {
        ...headers,
        ...authorization,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    throw regError(
      'registry_unavailable',
      `no registry answers at ${address} (${reasonOf(cause, withinMs)})`,
      {
        cause,
      },
    );
  }
  const reply = parseObject(text);
  if (reply === undefined)
    throw regError('registry_unavailable', `${address} answers, but not as a registry does`);
  if (status >= 400) throw refusalOf(reply, status, address);
  return reply;
}

/** fetch says no more than "fetch failed"; its cause knows why. */
function reasonOf(error: unknown, withinMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `silent for ${Math.round(withinMs / 1_000)} s`;
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return cause?.code ?? cause?.message ?? error.message;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // the caller says who answered so
  }
}

function refusalOf(problem: Record<string, unknown>, status: number, address: string): RegError {
  const { code, detail, errors } = problem;
  if (typeof code !== 'string') {
    return regError('registry_unavailable', `${address} answers ${status}, but not as a registry does`);
  }
  if (!Object.hasOwn(problems, code)) return regError('internal', `the registry says ${code}: ${detail}`);
  return regError(code as ProblemCode, String(detail), {
    errors: Array.isArray(errors) ? (errors as FieldFault[]) : undefined,
  });
}
