// Leaving, whatever ends the process. Node prints and exits as it would without us: on a signal that the
// app does not handle we leave, then raise it again; on everything else `exit` says the last word.
import { createKeeper, type Keeper } from './keeper.ts';
import type { Run } from './run.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How long a dying process may stand still for its last word. */
const lastWordMs = 1_000;

/** On a second signal somebody is impatient: time for a registry that answers, not for one that does not. */
const impatientMs = 200;

/** Another copy of this package in the process (ESM beside CommonJS) is not the app. */
const ours = Symbol.for('@reg/client/signal');

const runs = new Set<Run>();
let keeper: Keeper | undefined;
let leaving = false;

/** From now on this run is ended with the process. @returns who keeps its lease */
export function hold(run: Run): Keeper {
  if (runs.size === 0) install();
  runs.add(run);
  if (keeper) return keeper;
  keeper = createKeeper();
  if (!keeper.hasThread)
    run.say('no thread may start here (--allow-worker): a busy event loop may cost the lease');
  return keeper;
}

export function release(run: Run): void {
  if (runs.delete(run) && runs.size === 0 && !leaving) uninstall();
}

export function runsHeld(): Run[] {
  return [...runs];
}

function install(): void {
  process.prependListener('exit', onExit); // first: a listener that throws would keep us from running
  process.on('uncaughtExceptionMonitor', onUncaught);
  for (const signal of signals) process.prependListener(signal, onSignal); // first: it sees `once` listeners
}

function uninstall(): void {
  process.off('exit', onExit);
  process.off('uncaughtExceptionMonitor', onUncaught);
  for (const signal of signals) process.off(signal, onSignal);
  keeper?.stop();
  keeper = undefined;
}

function onExit(): void {
  sayLastWords(lastWordMs);
}

/** An app with a listener of its own may live on; if it ends after all, `exit` comes. */
function onUncaught(): void {
  if (process.listenerCount('uncaughtException') > 0) return;
  if (process.hasUncaughtExceptionCaptureCallback()) return;
  sayLastWords(lastWordMs);
}

function sayLastWords(limitMs: number): void {
  const words = runsHeld().flatMap((run) => run.lastWord() ?? []);
  runs.clear();
  if (words.length > 0) keeper?.speak(words, limitMs);
}

const onSignal = Object.assign(
  (signal: NodeJS.Signals): void => {
    const others = process.listeners(signal).filter((listener) => !(ours in listener));
    const appEnds = others.length > politeListeners();
    if (appEnds && signal === 'SIGHUP') return; // a reload, by old custom; an app that ends says so on `exit`
    if (!leaving) void leave(signal, appEnds);
    else if (!appEnds) {
      sayLastWords(impatientMs);
      raise(signal);
    }
  },
  { [ours]: true },
);

/**
 * The library signal-exit (in half of npm) ends the process on a signal only where nobody else listens, as
 * we do: two that wait for each other would wait for ever. Its copies count themselves; when we raise the
 * signal again, they find themselves alone and do what they do without us.
 */
function politeListeners(): number {
  const third = (process as { __signal_exit_emitter__?: { count?: number } }).__signal_exit_emitter__;
  const fourth = (globalThis as { [key: symbol]: { count?: number } | undefined })[
    Symbol.for('signal-exit emitter')
  ];
  return (third?.count ?? 0) + (fourth?.count ?? 0);
}

async function leave(signal: NodeJS.Signals, appEnds: boolean): Promise<void> {
  leaving = true;
  await Promise.all(
    runsHeld().map(async (run) => {
      await run.drain();
      await run.unregister().catch((error: Error) => run.say(`not unregistered: ${error.message}`));
    }),
  );
  leaving = false;
  if (!appEnds) raise(signal);
  else if (runs.size === 0) uninstall();
}

/** Without our listener the signal does what it does by default, so the exit status is the signal's. */
function raise(signal: NodeJS.Signals): void {
  uninstall();
  const stillLeaving = process.listeners(signal).some((listener) => ours in listener);
  if (!stillLeaving) process.kill(process.pid, signal); // else the other copy raises it when it is done
}
