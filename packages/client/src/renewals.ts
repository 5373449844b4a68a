// Keeps a lease while renewing is enough. It runs in the keeper's thread, or in ours where none may start.
import { setTimeout as sleep } from 'node:timers/promises';
import { isRegError, type RegError, regError } from '@reg/schema/problem';
import { isPermanent, nextStep, type Step } from './keep-lease.ts';
import type { LoopReader } from './loop-meter.ts';
import { monotonicMs } from './monotonic.ts';
import type { Transport } from './transport.ts';

/** How often a stalled loop is looked at: one that turns again is soon listed again. */
const stalledAgainMs = 250;

/** What a thread needs to renew a lease. It crosses to another one, so it is plain data. */
export interface HeldLease {
  /** Where the registry is. */
  readonly addresses: readonly string[];
  readonly path: { readonly service: string; readonly id: string };
  /** With the token as it was last: only the user's thread can ask for another. */
  readonly headers: Readonly<Record<string, string>>;
  readonly generation: number;
  /** Of several registries, the one that granted it. */
  readonly grantedBy: string;
  readonly leaseMs: number;
  /** By `monotonicMs`. */
  readonly leaseEndsAt: number;
  readonly tokenChanges?: boolean | undefined;
  /** How long one request may take. */
  readonly timeoutMs: number;
  /** A loop that has not turned for longer is not kept listed. */
  readonly stallMs: number;
}

/** Renewing is not enough any more: what the run has to do, and why. */
export interface Handover {
  readonly step: Step;
  readonly error: RegError;
  /** In a row. */
  readonly failures: number;
}

/** Takes what is wrong; undefined: nothing is any more. Said when it changes. */
export type Tell = (trouble: string | undefined) => void;

/** @throws when `signal` aborts */
export async function renewWhileHeld(
  lease: HeldLease,
  transport: Transport,
  loop: LoopReader,
  signal: AbortSignal,
  tell: Tell,
): Promise<Handover> {
  const { path, headers, generation, grantedBy, leaseMs, tokenChanges, timeoutMs, stallMs } = lease;
  let { leaseEndsAt } = lease;
  let failures = 0;
  let told: string | undefined;
  const tellOnce: Tell = (trouble) => {
    if (trouble !== told) tell(trouble);
    told = trouble;
  };

  async function renew(): Promise<RegError | undefined> {
    const sentAt = monotonicMs();
    const body = { generation, load: loop.load() };
    try {
      await transport.call('renew', { path, headers, body, timeoutMs, signal, background: true });
      leaseEndsAt = sentAt + leaseMs;
      tellOnce(undefined);
      return undefined;
    } catch (failure) {
      signal.throwIfAborted();
      if (!isRegError(failure)) throw failure;
      const error = String(transport.addresses()[0]) === grantedBy ? failure : asOtherRegistrys(failure);
      if (!isPermanent(error)) tellOnce(`${error.message}; trying again`);
      return error;
    }
  }

  // As after a registration, which is what came before.
  let step = nextStep('register', undefined, { leaseMs, leaseEndsAt, failures }, monotonicMs());
  for (;;) {
    await sleep(step.do === 'stop' ? 0 : step.inMs, undefined, { signal, ref: false });
    if (loop.sinceTurnMs() > stallMs) {
      tellOnce(`the event loop has not turned for ${stallMs} ms, so the lease was not renewed meanwhile`);
      step = { do: 'renew', inMs: stalledAgainMs };
      continue;
    }
    const error = await renew();
    failures = error ? failures + 1 : 0;
    step = nextStep('renew', error, { leaseMs, leaseEndsAt, failures, tokenChanges }, monotonicMs());
    if (error && step.do !== 'renew') return { step, error, failures };
  }
}

/**
 * Another registry than the one that granted our generation may know this very run under a later one: a
 * register that it was too slow to answer. So it is asked by run, and refuses us then if it has a successor.
 */
function asOtherRegistrys(error: RegError): RegError {
  if (error.code !== 'generation_superseded') return error;
  return regError('instance_not_found', 'granted by another registry', { cause: error });
}
