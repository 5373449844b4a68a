// One run of an instance, from its first registration to its last word.
import { setTimeout as sleep } from 'node:timers/promises';
import { instanceIdOf } from '@reg/schema/address';
import { defaultLeaseMs } from '@reg/schema/defaults';
import { isRegError, type ProblemCode, type RegError, regError } from '@reg/schema/problem';
import type { RegisterReply, Registration } from '@reg/schema/shapes';
import { registryAddresses } from './addresses.ts';
import { answerMs } from './changes.ts';
import { countRequests, quietMs, type RequestSource } from './in-flight.ts';
import { checkDuration, invalid } from './invalid.ts';
import { type Holding, nextStep, type Step } from './keep-lease.ts';
import type { Keeper, LastWord } from './keeper.ts';
import { monotonicMs } from './monotonic.ts';
import type {
  RegisterOptions,
  RegistrationChanges,
  RegistrationState,
  ToldLoad,
  Updated,
  UpdateOptions,
} from './registration.ts';
import type { HeldLease, Tell } from './renewals.ts';
import { createBearer } from './token.ts';
import { createTransport } from './transport.ts';

/** A gateway that has not applied the drain by then is not waited for. */
const drainWaitMs = 1_000;
const drainAnswerMs = 500;

/** However short the lease, an answer takes its time. */
const leastAnswerMs = 300;

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
  /** Registers, and has the lease kept from then on. @throws the registry's permanent refusal */
  join(keeper: Keeper): Promise<void>;
  /** @returns the gateways that did not apply it in time; undefined where that is not known. @throws when it ended */
  waitForGateways(): Promise<readonly string[] | undefined>;
  update(changes: RegistrationChanges, options?: UpdateOptions): Promise<Updated>;
  reportLoad(load: ToldLoad): Promise<void>;
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
  if (!options) throw invalid('options', 'must be an object');
  const {
    registry,
    token,
    server,
    drainMs = 5_000,
    stallMs = 30_000,
    onRefused = 'run',
    waitFor,
    ...others
  } = options;
  const { log = console.error, ...given } = others;
  checkWaitFor(waitFor);
  if (onRefused !== 'run' && onRefused !== 'exit') throw invalid('onRefused', "must be 'run' or 'exit'");
  if (!(stallMs > 0)) throw invalid('stallMs', 'must be a number of milliseconds above 0');
  checkDuration('drainMs', drainMs);
  checkServer(server);
  const addresses = registryAddresses(registry);
  const bearer = createBearer(token);
  const transport = createTransport(addresses, bearer);
  const lease = given.lease ?? { ttlMs: defaultLeaseMs }; // said out loud, so that both sides count alike
  // Without a lease there is nothing to renew, but asking shows whether the registry still knows us.
  const leaseMs = lease === 'none' ? defaultLeaseMs : lease.ttlMs;
  // What is no lease is the registry's to refuse: it needs the time to answer.
  const timeoutMs = leaseMs / 3 < answerMs ? Math.max(leaseMs / 3, leastAnswerMs) : answerMs;
  const runId = given.runId ?? crypto.randomUUID();
  const instanceId = given.instanceId ?? defaultInstanceId(given);
  let registration: Registration = { ...given, instanceId, runId, lease };
  const path = pathOf(registration, instanceId);
  // How another thread reaches the registry for us.
  const contact = () => ({ addresses: addresses.map(String), path, headers: bearer.lastHeaders() });
  const requests = countRequests(server);
  const stopping = new AbortController();
  const unregistering = new AbortController();

  let state: RegistrationState = 'lost';
  let refusal: ProblemCode | undefined;
  let generation: number | undefined;
  let grantedBy: URL | undefined; // of several registries, the one that granted the generation
  let leaseEndsAt = 0;
  let sent = false; // a register may have reached the registry
  let told = '';
  let drained: Promise<void> | undefined;
  let ended: Promise<void> | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  function say(line: string): void {
    log(`reg: ${registration.name} (${instanceId}): ${line}`);
  }

  /** Each trouble once, not with every try; and that it is over. */
  const tell: Tell = (trouble = '') => {
    if (trouble === told) return;
    told = trouble;
    say(trouble === '' ? 'registered' : trouble);
  };

  /** One at a time: a registration that repeats the old must not arrive after an update. */
  function inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = turn.then(task);
    turn = result.catch(() => undefined);
    return result;
  }

  async function send(next: Registration): Promise<void> {
    const { signal } = stopping;
    signal.throwIfAborted();
    const sentAt = monotonicMs();
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

  /** @param failures in a row */
  function holding(failures: number): Holding {
    return { leaseMs, leaseEndsAt, failures, tokenChanges: bearer.changes && generation !== undefined };
  }

  /** @returns why it failed; undefined where it did not @throws when we are stopping */
  async function attempt(): Promise<RegError | undefined> {
    try {
      await inTurn(() => send(registration));
      tell(undefined);
      if (state === 'lost') state = 'registered';
      return undefined;
    } catch (error) {
      if (stopping.signal.aborted || !isRegError(error)) throw error;
      const again = nextStep('register', error, holding(0), monotonicMs()).do !== 'stop';
      if (again && error.code !== 'instance_not_found') tell(`${error.message}; trying again`);
      return error;
    }
  }

  /** Tries until it is registered. @throws what ends it */
  async function enter(first: Step, failuresBefore: number, keepsAlive: boolean): Promise<void> {
    let step = first;
    for (let failures = failuresBefore + 1; step.do !== 'stop'; failures++) {
      await sleep(step.inMs, undefined, { signal: stopping.signal, ref: keepsAlive });
      if (drained) return refused(undefined); // not listed: where we were going
      const error = await attempt();
      if (!error) return;
      if (state === 'registered') state = 'lost';
      step = nextStep('register', error, holding(failures), monotonicMs());
      if (step.do === 'stop') throw error;
    }
  }

  /** Has the lease renewed, and registers again where that is not enough. @throws what ends it */
  async function stay(keeper: Keeper): Promise<never> {
    for (;;) {
      const { step, error, failures } = await keeper.keep(held(), transport, stopping.signal, tell);
      if (step.do === 'stop') throw error;
      if (state === 'registered' && error.status !== 401) state = 'lost'; // 401: the lease stands, with another token
      await enter(step, failures, false);
    }
  }

  const held = (): HeldLease => {
    const granted = { generation: generation ?? 0, grantedBy: String(grantedBy) };
    return { ...contact(), ...holding(0), ...granted, timeoutMs, stallMs };
  };

  const stop = () => stopping.abort(regError('instance_not_found', 'this registration has ended'));

  /** A newer run took over: nothing is left to be said, but what is in flight here is still to be answered. */
  const isReplaced = () => refusal === 'generation_superseded' && generation !== undefined;

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
    if (isReplaced()) {
      state = 'refused';
      stop(); // and stays held: a signal finds it and waits for its requests
    } else finish('refused');
    if (onRefused === 'run') throw known;
    say(`refused: ${known.code}: ${known.message}`);
    if (!isReplaced()) process.exit(1);
    await sleep(drainWaitMs); // nothing tells us when the gateways know of our successor
    await run.drain();
    process.exit(0); // a supervisor that restarts what failed would have the two take over from each other
  }

  async function join(keeper: Keeper): Promise<void> {
    // A script that awaits register() must not end meanwhile; keeping a lease keeps no process alive.
    await enter({ do: 'register', inMs: 0 }, 0, true).catch(refused);
    stay(keeper)
      .catch(refused)
      .catch((error: RegError) => {
        if (refusal) say(`not listed any more: ${refusal}: ${error.message}`);
      });
  }

  /** In turn with its waiting: else that would say once more what the next update changes. */
  async function update(changes: RegistrationChanges, options: UpdateOptions = {}): Promise<Updated> {
    checkWaitFor(options.waitFor);
    return inTurn(async () => {
      await send({ ...registration, ...changes });
      const missing = options.waitFor && (await waitForGateways());
      // One that was sent just before is still on the wire, and its old address may be closed now.
      if (missing && changes.endpoints) await sleep(quietMs);
      return { missing };
    });
  }

  /**
   * Registers once more, which changes nothing and waits. Apart from `join`, since the lease must be renewed
   * meanwhile; and there not in turn, since a registration that is due again must not wait behind it.
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
    if (stopping.signal.aborted && !isReplaced()) return;
    const query = { runId, waitFor: 'gateways', wait: `${drainWaitMs}ms` };
    const listed = state === 'registered';
    if (!isReplaced()) state = 'leaving';
    try {
      if (listed)
        await transport.call('drain', {
          path,
          query,
          timeoutMs: drainWaitMs + drainAnswerMs,
          signal: stopping.signal,
          lastAnswered: 'first',
        });
    } catch (error) {
      const replaced = isRegError(error) && error.code === 'generation_superseded';
      if (!stopping.signal.aborted && !replaced) say(`not drained: ${(error as Error).message}`);
    }
    const inFlight = await requests.idle(drainMs, unregistering.signal);
    if (inFlight > 0) say(`${inFlight} requests still in flight after ${drainMs} ms`);
  }

  async function unregisterNow(): Promise<void> {
    unregistering.abort();
    if (refusal) return finish('refused');
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
    update,
    async reportLoad({ level, forMs }) {
      const body = { level, forMs, instanceId };
      await transport.call('reportLoad', { path: { service: path.service }, body, timeoutMs });
    },
    drain: () => (drained ??= drainNow()),
    unregister: () => (ended ??= unregisterNow()),
    say,
    lastWord() {
      if (!sent || refusal) return undefined;
      return { ...contact(), addresses: transport.addresses().map(String), runId };
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

function checkWaitFor(waitFor: unknown): void {
  if (waitFor !== undefined && waitFor !== 'gateways') throw invalid('waitFor', "must be 'gateways'");
}

/** An Express app has `on` too, and hears of no request by it: leaving would cut off those in flight. */
function checkServer(server: Partial<RequestSource> | undefined): void {
  if (server && (typeof server !== 'object' || !server.on)) throw invalid('server', 'must be an http.Server');
}
