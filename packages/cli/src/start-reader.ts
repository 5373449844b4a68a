// A gateway that reads the database itself: a registry without an API. Where the gateway has kept a snapshot it
// need not wait for the database: it begins with that, and follows as soon as the database is there.
import { setTimeout as later } from 'node:timers/promises';
import { createRegistry, type Registry, type Store } from '@reg/registry';
import { type Catalog, isRegError, type RegError, regError } from '@reg/schema';
import type { Part } from './part.ts';
import { type RegistrySettings, registryRules, type StartedRegistry } from './start-registry.ts';

export interface ReaderOptions {
  /** Once for each attempt; gives up when `signal` aborts. */
  readonly open: (signal: AbortSignal) => Promise<Store>;
  /** Whether a failed attempt means that nobody answered; everything else is for a person to mend. */
  readonly isAway: (error: unknown) => Promise<boolean>;
  /** Ends every attempt, as closing does. */
  readonly stopped: AbortSignal;
  /** What an operator should know. */
  readonly log: (line: string) => void;
}

/** Who can serve from a kept snapshot is not kept waiting for longer; what is wrong with a password is known by then. */
const patienceMs = 2_000;

/** @param parts gets what is to be closed again. @throws InvalidArgumentError for the settings */
export function startReader(
  { open, isAway, log, stopped }: ReaderOptions,
  settings: RegistrySettings,
  parts: Part[],
): StartedRegistry {
  const rules = registryRules(settings);
  const stop = new AbortController();
  let attempt: Promise<Registry> | undefined;
  let registry: Registry | undefined;
  let said: string | undefined;

  /** One attempt at a time, whoever asks; after one that failed the next who asks makes another. */
  function opened(): Promise<Registry> {
    attempt ??= makeAttempt();
    return attempt;
  }

  async function makeAttempt(): Promise<Registry> {
    try {
      registry = createRegistry({ store: await open(AbortSignal.any([stop.signal, stopped])), ...rules });
      if (said !== undefined) say('the database is there: it is followed');
      return registry;
    } catch (error) {
      attempt = undefined;
      if (said !== undefined) say(textOf(error)); // before, whoever starts us is told
      throw error;
    }
  }

  /** The same again and again is said once. */
  function say(text: string): void {
    if (text !== said && !stop.signal.aborted) log(text);
    said = text;
  }

  parts.push({
    async close() {
      stop.abort();
      await attempt?.catch(() => undefined); // told already, or given up just now
      await registry?.close();
    },
  });

  return {
    url: undefined,
    proof: undefined,
    catalogOf(gateway) {
      const catalog = async (): Promise<Catalog> => (await opened()).catalog(gateway);
      return {
        snapshot: async (signal) => (await catalog()).snapshot(signal),
        async *changes(after, signal) {
          yield* (await catalog()).changes(after, signal);
        },
        applied: async (position) => registry?.catalog(gateway).applied(position),
        fault: () => registry?.catalog(gateway).fault?.(),
      };
    },
    isLive: () => registry?.health().live.ok ?? true, // it waits for its database
    showGateway() {},
    async begin(hasKept) {
      const giveUp = new AbortController();
      const patience = later(patienceMs, undefined, { signal: giveUp.signal });
      try {
        if (!hasKept) await opened();
        else if (!(await Promise.race([opened(), patience]))) say('the database does not answer yet');
      } catch (error) {
        if (!isRegError(error) || !(await isAway(error))) throw error;
        if (!hasKept) throw withNothingKept(error);
        say(textOf(error));
      } finally {
        patience.catch(() => undefined);
        giveUp.abort();
      }
    },
  };
}

/** It could answer nothing but 503, and whoever starts it starts it again. */
function withNothingKept(error: RegError): RegError {
  const text = `${error.message}; and no snapshot was kept that the gateway could serve from meanwhile`;
  return regError(error.code, text, { cause: error });
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return `the gateway serves what it kept, and goes on trying: ${text}`;
}
