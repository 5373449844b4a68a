// Requests to the registry. Of several the first that answers is asked, as every client does
// (docs/decisions/0013-first-that-answers.md).
import {
  isRegError,
  type OperationName,
  operationPath,
  operations,
  type Problem,
  problems,
  type Reply,
  regError,
} from '@reg/schema';

export interface RegistryAccess {
  /** Comma-separated where there are several. */
  readonly registry: string;
  /** Of the registry, where it needs one. */
  readonly token?: string | undefined;
}

interface Ask {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: unknown;
}

export interface RegistryCaller {
  /** @throws the registry's problem, or `registry_unavailable` where none answers */
  ask<Name extends OperationName>(name: Name, request: Ask): Promise<Reply<Name>>;
  /** Each of the list, since some of what they know is not shared. @returns the answers of those that gave one */
  askEach<Name extends OperationName>(name: Name, request: Ask): Promise<Reply<Name>[]>;
}

const answerMs = 3_000;
/** One that failed is asked last for so long. */
const avoidMs = 2_000;

export function createRegistryCaller({ registry, token }: RegistryAccess): RegistryCaller {
  const addresses = registry.split(',').map((one) => one.trim().replace(/\/+$/, ''));
  const avoidedUntil = new Map<string, number>();

  async function askOne<Name extends OperationName>(
    address: string,
    name: Name,
    { parameters, query, body }: Ask,
  ): Promise<Reply<Name>> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(address + operationPath(name, parameters, query), {
        method: operations[name].method,
        redirect: 'manual',
        signal: AbortSignal.timeout(answerMs),
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(token && { authorization: `Bearer ${Buffer.from(token.trim(), 'utf8').toString('latin1')}` }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (cause) {
      throw regError('registry_unavailable', `${shown(address)} does not answer: ${reasonOf(cause)}`, {
        cause,
      });
    }
    const reply = parse(text);
    if (response.ok && reply !== undefined) return reply as Reply<Name>;
    const { code, detail = '', errors } = (reply ?? {}) as Partial<Problem>;
    if (code !== undefined && Object.hasOwn(problems, code)) throw regError(code, detail, { errors });
    throw regError(
      'registry_unavailable',
      `${shown(address)} answered ${response.status}, and not as a registry does`,
    );
  }

  return {
    async ask(name, request) {
      const now = performance.now();
      const rank = (address: string) => Number((avoidedUntil.get(address) ?? 0) > now);
      let failure: unknown;
      for (const address of addresses.toSorted((one, other) => rank(one) - rank(other))) {
        try {
          return await askOne(address, name, request);
        } catch (error) {
          failure = error;
          if (!isRegError(error) || error.status !== 503) throw error;
          avoidedUntil.set(address, performance.now() + avoidMs);
        }
      }
      throw failure;
    },
    async askEach(name, request) {
      const answers = await Promise.allSettled(addresses.map((address) => askOne(address, name, request)));
      const given = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      const [failure] = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
      if (given.length === 0) throw failure;
      return given;
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller says who answered so
  }
}

/** fetch says no more than "fetch failed"; its cause knows why. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
  return cause?.code ?? cause?.message ?? message;
}

/** It might hold credentials. */
function shown(address: string): string {
  if (!URL.canParse(address)) return address;
  const { origin, pathname } = new URL(address);
  return origin + pathname.replace(/\/+$/, '');
}
