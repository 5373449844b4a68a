// `reg run`: what a unit does, for people without systemd. It starts a program, lists it once it answers, keeps its
// lease, passes signals on, unlists it when it ends, and ends as it did.
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RegisterOptions, register, unregister } from '@reg/client';
import { isRegError } from '@reg/schema/problem';
import type { RegistryAccess } from '../api.ts';
import { type Child, type ChildEnd, endAs, startChild } from '../child.ts';
import { freePort } from '../free-port.ts';
import { note } from '../print.ts';
import { type RestartRule, restartPauseMs, shortRunsAfter, shouldRestart } from '../restart-rule.ts';
import { thisBoot } from '../this-boot.ts';
import { type WaitTarget, waitFor, waitTargetOf } from '../wait-for.ts';
import { type RegistrationFlags, registrationOf } from './register.ts';

export interface RunOptions extends Omit<RegistrationFlags, 'endpoint' | 'runId'>, RegistryAccess {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly endpoint?: string;
  readonly health?: string;
  readonly restart: RestartRule;
}

/** What does not answer by then is told of, and waited for. */
const tellAfterMs = 60_000;

/** As a shell has it: no such program; one that may not be run. */
const cannotStart: Readonly<Record<string, number>> = { ENOENT: 127, EACCES: 126 };

/** What one start of the program needs to know. */
interface Plan {
  readonly words: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly target: WaitTarget;
  readonly registration: RegisterOptions & { readonly instanceId: string };
}

export async function run(command: readonly string[], options: RunOptions): Promise<void> {
  const plan = planOf(command, options, options.port || (await freePort(options.host)));
  const signals = followSignals();
  for (let shortRuns = 0; ; ) {
    const startedAt = performance.now();
    const child = await startOrExit(plan);
    if (!child) return;
    const end = await attend(child, plan, signals);
    shortRuns = shortRunsAfter(shortRuns, performance.now() - startedAt);
    if (signals.stopping.aborted || !shouldRestart(options.restart, end)) return endAs(end);
    const pauseMs = restartPauseMs(shortRuns);
    note(`${plan.words[0]} ended (${end.signal ?? end.code}); started again in ${pauseMs / 1_000} s`);
    await sleep(pauseMs, undefined, { signal: signals.stopping }).catch(() => undefined); // asked to stop: below
    if (signals.stopping.aborted) return endAs({ code: null, signal: signals.stopping.reason });
  }
}

/** @throws InvalidArgumentError: before anything is started */
function planOf(command: readonly string[], options: RunOptions, port: number): Plan {
  const { host, health = '{host}:{port}', registry, registryToken: token } = options;
  const fill = (text: string) =>
    text.replaceAll('{host}', host.includes(':') ? `[${host}]` : host).replaceAll('{port}', String(port));
  const path = options.url === '/' ? '' : options.url;
  const endpoint = [fill(options.endpoint ?? `http://{host}:{port}${path}`)];
  const owner = options.owner ?? `run:${hostname()}:${process.pid}`;
  const registration = registrationOf(options.name, { ...options, endpoint, owner }, thisBoot());
  // It is listed by us: a client in it must not list it once more.
  const { SELF_REGISTRY: _, ...environment } = process.env;
  return {
    words: command.map((word) => word.replaceAll('{port}', String(port))),
    environment: { ...environment, HOST: host, PORT: String(port) },
    target: waitTargetOf(fill(health.startsWith('/') ? `http://{host}:{port}${health}` : health)),
    registration: { ...registration, registry, token, log: note },
  };
}

async function startOrExit({ words, environment }: Plan): Promise<Child | undefined> {
  try {
    return await startChild(words, environment);
  } catch (error) {
    const code = cannotStart[(error as NodeJS.ErrnoException).code ?? ''];
    if (code === undefined) throw error;
    note(`error: ${(error as Error).message}`);
    process.exitCode = code;
    return undefined;
  }
}

/** From its start to its end, and until nothing of it is listed. */
async function attend(child: Child, plan: Plan, signals: Signals): Promise<ChildEnd> {
  const gone = new AbortController();
  signals.passTo(child);
  // Not awaited: the client leaves who asks for a registration that ends without an answer.
  void list(child, plan, AbortSignal.any([gone.signal, signals.stopping]));
  const end = await child.ended;
  gone.abort();
  signals.passTo(undefined);
  await leave();
  return end;
}

/** A registry that is away, or says no, does not keep it from running. */
async function list(child: Child, { target, registration }: Plan, gone: AbortSignal): Promise<void> {
  try {
    await answers(child, target, gone);
    if (gone.aborted) return;
    await register(registration);
    note(`registered  ${registration.name}  ${registration.instanceId}`);
  } catch (error) {
    if (gone.aborted) return; // whatever it was: the program ends
    if (!isRegError(error)) throw error;
    note(`not listed: ${error.code}: ${error.message}`);
  }
}

async function answers({ pid }: Child, target: WaitTarget, gone: AbortSignal): Promise<void> {
  const late = setTimeout(() => note(`nothing good at ${target.text} yet`), tellAfterMs);
  try {
    await waitFor(target, { pid, signal: gone });
  } finally {
    clearTimeout(late);
  }
}

/** Also of one that is still asking to be listed. */
async function leave(): Promise<void> {
  await unregister({ drain: true }).catch((error: Error) => note(`not unregistered: ${error.message}`));
}

interface Signals {
  /** Aborts at the first that asks us to end; its reason is that signal. */
  readonly stopping: AbortSignal;
  passTo(child: Child | undefined): void;
}

const stops = ['SIGINT', 'SIGTERM'] as const;
/** A reload, by old custom, or whatever the program makes of it. */
const others = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;

function followSignals(): Signals {
  const stopping = new AbortController();
  let child: Child | undefined;

  async function stop(signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
    // On a terminal Ctrl-C reaches the program by itself; a second one would end many at once.
    const reachesIt = signal === 'SIGINT' && process.stdin.isTTY;
    if (stopping.signal.aborted) return reachesIt ? undefined : child?.kill(signal);
    stopping.abort(signal);
    await leave(); // gets nothing new before it ends
    if (!reachesIt) child?.kill(signal);
  }

  for (const signal of stops) process.on(signal, () => void stop(signal));
  for (const signal of others) process.on(signal, () => child?.kill(signal));
  return {
    stopping: stopping.signal,
    passTo(next) {
      child = next;
    },
  };
}
