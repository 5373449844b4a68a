// One run of an instance, from its first registration to its last word.
import { setTimeout as sleep } from 'node:timers/promises';
import { instanceIdOf } from '@reg/schema/address';
import { operationPath } from '@reg/schema/operations';
import { isRegError, type ProblemCode, type RegError, regError } from '@reg/schema/problem';
import type { RegisterReply, Registration } from '@reg/schema/shapes';
import { registryAddresses } from './addresses.ts';
import { answerMs } from './changes.ts';
import { countRequests } from './in-flight.ts';
import { isPermanent, nextStep, type Step } from './keep-lease.ts';
import type { LastWord } from './last-word.ts';
import type { RegisterOptions, RegistrationChanges, RegistrationState } from './registration.ts';
import { createTransport } from './transport.ts';

/** What a registration without `lease` gets; said out loud, so that both sides count alike. */
const defaultLeaseMs = 10_000;

/** A gateway that has not applied the drain by then is not waited for. */
const drainWaitMs = 1_000;

/** The same for who joins: nothing is lost while it waits, so it may wait longer. */
const joinWaitMs = 5_000;

/** Leaving must not hang on a registry that hangs: the lease ends what we could not. */
const unregisterMs = 1_000;

export interface Run {
  readonly instanceId: string;
  readonly runId: string;
  generation(): number;
  state(): RegistrationState;
  refusal(): ProblemCode | undefined;
  /** Registers, and keeps the lease from then on. @throws the registry's permanent refusal */
  join(): Promise<void>;
  /** @returns the gateways that did not apply it in time; undefined where that is not known. @throws when it ended */
  waitForGateways(): Promise<readonly string[] | undefined>;
  update(changes: RegistrationChanges): Promise<void>;
  /** Gets nothing new, and waits for requests in flight. Never rejects: what failed is logged. */
  drain(): Promise<void>;
  /** @throws where no registry answered */
  unregister(): Promise<void>;
  say(line: string): void;
  /** What is left to be said when the process ends now; undefined: nothing of ours is listed. */
  lastWord(): LastWord | undefined;
}

/**
 * @param onEnd called once: nothing of this run is left to be said
 * @throws `invalid_request`: no registry, name or endpoint to begin with; the rest is the registry's to judge
 */
export function createRun(options: RegisterOptions, onEnd: (run: Run) => void): Run {
  const { registry, server, drainMs = 5_000, onRefused = 'run', waitFor, ...others } = options;
  const { log = console.error, ...given } = others;
  if (waitFor !== undefined && waitFor !== 'gateways') throw invalid('waitFor', "must be 'gateways'");
  const transport = createTransport(registryAddresses(registry));
  const lease = given.lease ?? { ttlMs: defaultLeaseMs };
  // Without a lease there is nothing to renew, but asking shows whether the registry still knows us.
  const leaseMs = lease === 'none' ? defaultLeaseMs : lease.ttlMs;
  // What is no lease is the registry's to refuse: it needs the time to answer.
  const timeoutMs = leaseMs / 3 < answerMs ? Math.max(leaseMs / 3, 300) : answerMs;
  const runId = given.runId ?? crypto.randomUUID();
  const instanceId = given.instanceId ?? defaultInstanceId(given);
  let registration: Registration = { ...given, instanceId, runId, lease };
  const path = pathOf(registration, instanceId);
  const requests = countRequests(server);
  const stopping = new AbortController();

  let state: RegistrationState = 'lost';
  let refusal: ProblemCode | undefined;
  let generation: number | undefined;
  let grantedBy: URL | undefined; // of several registries, the one that granted the generation
  let leaseEndsAt = 0;
  let sent = false; // a register may have reached the registry
  let said = '';
  let drained: Promise<void> | undefined;
  let ended: Promise<void> | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  /** Each trouble once, not with every try. */
  function say(line: string): void {
    if (line !== said) log(`reg: ${registration.name} (${instanceId}): ${line}`);
    said = line;
  }

  /** One at a time: a registration that repeats the old must not arrive after an update. */
  function inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = turn.then(task);
    turn = result.catch(() => undefined);
    return result;
  }

  async function send(next: Registration): Promise<void> {
    const { signal } = stopping;
    signal.throwIfAborted();
    const sentAt = performance.now();
    const background = generation !== undefined;
    const body = { ...next, generation };
    sent = true;
    const reply = await transport.call<RegisterReply>('register', {
      path,
      body,
      timeoutMs,
      signal,
      background,
    });
    generation = reply.generation;
    [grantedBy] = transport.addresses();
    leaseEndsAt = sentAt + leaseMs;
    const { redefine: _, ...rest } = next; // said once: later it would undo what another run redefined since
    registration = rest;
  }

  async function renew(): Promise<void> {
    const { signal } = stopping;
    const sentAt = performance.now();
    await transport
      .call('renew', { path, body: { generation }, timeoutMs, signal, background: true })
      .catch(forgiveOtherRegistry);
    leaseEndsAt = sentAt + leaseMs;
  }

  /**
   * Another registry than the one that granted our generation may know this very run under a later one: a
   * register that it was too slow to answer. So it is asked by run, and refuses us then if it has a successor.
   */
  function forgiveOtherRegistry(error: unknown): never {
    const isOther = transport.addresses()[0] !== grantedBy;
    if (!isOther || !isRegError(error) || error.code !== 'generation_superseded') throw error;
    throw regError('instance_not_found', 'granted by another registry', { cause: error });
  }

  /** @returns why it failed; undefined where it did not @throws when we are stopping */
  async function attempt(what: 'renew' | 'register'): Promise<RegError | undefined> {
    try {
      await (what === 'renew' ? renew() : inTurn(() => send(registration)));
      if (said !== '') say('registered');
      said = '';
      if (state === 'lost') state = 'registered';
      return undefined;
    } catch (error) {
      if (stopping.signal.aborted || !isRegError(error)) throw error;
      if (error.code !== 'instance_not_found' && !isPermanent(error)) say(`${error.message}; trying again`);
      return error;
    }
  }

  /** Takes one step after the other. @throws what ends it */
  async function keep(first: Step, until: 'registered' | 'ended'): Promise<void> {
    let step = first;
    for (let failures = 0; step.do !== 'stop'; ) {
      // A script that awaits register() must not end meanwhile; keeping a lease keeps no process alive.
      await sleep(step.inMs, undefined, { signal: stopping.signal, ref: until === 'registered' });
      if (drained && step.do === 'register') return refused(undefined); // not listed: where we were going
      const error = await attempt(step.do);
      if (!error && until === 'registered') return;
      failures = error ? failures + 1 : 0;
      step = nextStep(step.do, error, { leaseMs, leaseEndsAt, failures }, performance.now());
      if (step.do === 'register' && state === 'registered') state = 'lost';
      if (step.do === 'stop') throw error;
    }
  }

  const stop = () => stopping.abort(regError('instance_not_found', 'this registration has ended'));

  /** Nothing is left to be said. */
  function finish(last: 'refused' | 'unregistered'): void {
    state = last;
    stop();
    requests.stop();
    onEnd(run);
  }

  /** Keeping ended: by us, or by a refusal. @throws which of them, unless the process ends */
  async function refused(error: unknown): Promise<never> {
    // The process ends: whoever awaits register() must not wake up to an error that would change how.
    if (drained) return new Promise<never>(() => undefined);
    if (stopping.signal.aborted) throw stopping.signal.reason;
    const known = isRegError(error) ? error : regError('internal', String(error), { cause: error });
    refusal = known.code;
    finish('refused');
    if (onRefused === 'run') throw known;
    say(`refused: ${known.code}: ${known.message}`);
    process.exit(1);
  }

  async function join(): Promise<void> {
    await keep({ do: 'register', inMs: 0 }, 'registered').catch(refused);
    const holding = { leaseMs, leaseEndsAt, failures: 0 };
    keep(nextStep('register', undefined, holding, performance.now()), 'ended')
      .catch(refused)
      .catch((error: RegError) => {
        if (refusal) say(`not listed any more: ${refusal}: ${error.message}`);
      });
  }

  /**
   * Registers once more, which changes nothing and waits. Apart from `join`, since the lease must be renewed
   * meanwhile; and not in turn, since a registration that is due again must not wait behind it.
   */
  async function waitForGateways(): Promise<readonly string[] | undefined> {
    const { signal } = stopping;
    const query = { waitFor: 'gateways', wait: `${joinWaitMs}ms` };
    const body = { ...registration, generation };
    const timeoutMs = joinWaitMs + answerMs;
    try {
      return (await transport.call<RegisterReply>('register', { path, query, body, timeoutMs, signal }))
        .missing;
    } catch (error) {
      signal.throwIfAborted();
      say(`registered, but not known whether at the gateways: ${(error as Error).message}`);
      return undefined;
    }
  }

  async function drainNow(): Promise<void> {
    if (stopping.signal.aborted) return;
    const query = { runId, waitFor: 'gateways', wait: `${drainWaitMs}ms` };
    const listed = state === 'registered';
    state = 'leaving';
    try {
      if (listed)
        await transport.call('drain', {
          path,
          query,
          timeoutMs: drainWaitMs + 500,
          signal: stopping.signal,
          lastAnswered: 'first',
        });
    } catch (error) {
      if (!stopping.signal.aborted) say(`not drained: ${(error as Error).message}`);
    }
    const inFlight = await requests.idle(drainMs, stopping.signal);
    if (inFlight > 0) say(`${inFlight} requests still in flight after ${drainMs} ms`);
  }

  async function unregisterNow(): Promise<void> {
    if (refusal) return;
    state = 'unregistered';
    stop();
    try {
      const call = { path, query: { runId }, timeoutMs: unregisterMs, lastAnswered: 'first' } as const;
      if (sent) await transport.call('unregister', call);
    } catch (error) {
      const gone = isRegError(error) && ['instance_not_found', 'generation_superseded'].includes(error.code);
      if (!gone) throw error;
    } finally {
      finish('unregistered');
    }
  }

  const run: Run = {
    instanceId,
    runId,
    generation: () => generation ?? 0,
    state: () => state,
    refusal: () => refusal,
    join,
    waitForGateways,
    update: (changes) => inTurn(() => send({ ...registration, ...changes })),
    drain: () => (drained ??= drainNow()),
    unregister: () => (ended ??= unregisterNow()),
    say,
    lastWord() {
      if (!sent) return undefined;
      return {
        addresses: transport.addresses().map(String),
        path: operationPath('unregister', path, { runId }),
      };
    },
  };
  return run;
}

function defaultInstanceId({ endpoints }: Pick<Registration, 'endpoints'>): string {
  const url = endpoints?.[0]?.url ?? '';
  if (URL.canParse(url)) return instanceIdOf(url);
  throw invalid('endpoints.0.url', 'must be an absolute URL, like http://127.0.0.1:3001/tickets');
}

/** What cannot be a segment of a URL's path would ask for another operation (WHATWG URL §4.4). */
function pathOf({ name }: Registration, instanceId: string): { service: string; id: string } {
  const isSegment = (text: unknown) =>
    typeof text === 'string' && !/^\.{0,2}$/.test(text) && text.isWellFormed();
  if (!isSegment(name)) throw invalid('name', 'must be text, and not "." or ".."');
  if (!isSegment(instanceId)) throw invalid('instanceId', 'must be text, and not "." or ".."');
  return { service: name, id: instanceId };
}

function invalid(field: string, message: string): RegError {
  return regError('invalid_request', `${field}: ${message}`, { errors: [{ field, message }] });
}
