import { hold, release, runsHeld } from './exit-hooks.ts';
import type { RegisterOptions, Registration, UnregisterOptions } from './registration.ts';
import { createRun, type Run } from './run.ts';

/**
 * Registers this instance and keeps it listed: renews its lease, registers again when the registry was
 * restarted or forgot it, and unregisters it when the process ends, whatever ends it.
 * Resolves once it is registered, and with `waitFor` the gateways know. A registry that is away is asked again after 0.1 to 5 s; an address
 * that another instance holds, until that one's lease ends.
 * @throws the registry's permanent refusal, by its code: `invalid_request`, `registration_conflict`, …;
 * `instance_not_found`: ended by `unregister()` before it was registered
 */
export async function register(options: RegisterOptions): Promise<Registration> {
  const run = createRun(options, release);
  await run.join(hold(run));
  const missing = options.waitFor && (await run.waitForGateways());
  return {
    missing,
    instanceId: run.instanceId,
    runId: run.runId,
    get generation() {
      return run.generation();
    },
    get state() {
      return run.state();
    },
    get refusal() {
      return run.refusal();
    },
    update: run.update,
    reportLoad: run.reportLoad,
    unregister: (options) => end(run, options),
  };
}

/**
 * `register` where the environment asks for it: `SELF_REGISTRY` set to anything but the empty string. A
 * value that starts with `http` also names the registry. Else nothing is started.
 */
export async function registerIfAsked(options: RegisterOptions): Promise<Registration | undefined> {
  return process.env.SELF_REGISTRY ? register(options) : undefined;
}

/** Ends every registration of this process. @throws the first failure, after all were tried */
export async function unregister(options?: UnregisterOptions): Promise<void> {
  const ends = await Promise.allSettled(runsHeld().map((run) => end(run, options)));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

async function end(run: Run, { drain = false }: UnregisterOptions = {}): Promise<void> {
  if (drain && run.generation() > 0) await run.drain();
  await run.unregister();
}
