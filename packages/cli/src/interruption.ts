// A command that is told to end while it waits or asks: it may take back what it asked for, then ends as by the signal.
import { constants } from 'node:os';
import { type StopSignal, stopSignal } from './stop-signal.ts';

const marker = Symbol.for('@reg/cli/interruption');

/** Why a command ended early; its exit code is that of the signal. */
interface Interruption extends Error {
  readonly exitCode: number;
}

/** Aborts at the first signal, with an `Interruption` as its reason. The next one ends the process at once. */
export function interruptible(): AbortSignal {
  const controller = new AbortController();
  void stopSignal().then((signal) => controller.abort(interruption(signal)));
  return controller.signal;
}

function interruption(signal: StopSignal): Interruption {
  return Object.assign(new Error(`ended by ${signal}`), {
    exitCode: 128 + constants.signals[signal],
    [marker]: true,
  });
}

export function isInterruption(error: unknown): error is Interruption {
  return typeof error === 'object' && error !== null && marker in error;
}
