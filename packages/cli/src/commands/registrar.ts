// `reg registrar`: registers what does not register itself, by a folder of policies, until a signal ends it.
import { createRegistrar } from '@reg/registrar';
import type { RegistryAccess } from '../api.ts';
import { createLogLines, type LogForm } from '../log-lines.ts';
import { printJson, printLine } from '../print.ts';
import { stayFor, stopSignal } from '../stop-signal.ts';

export interface RegistrarCommandOptions extends RegistryAccess {
  readonly policies: string;
  readonly name?: string;
  readonly lease: number;
  readonly log?: LogForm;
  readonly json?: boolean;
}

export async function registrar(options: RegistrarCommandOptions): Promise<void> {
  const { registry, registryToken: token, policies, name, lease: leaseMs, json } = options;
  const stop = stopSignal();
  const lines = createLogLines(options.log ?? (process.stderr.isTTY ? 'pretty' : 'json'));
  const log = (message: string) =>
    lines.add(
      lines.form === 'json' ? JSON.stringify({ part: 'registrar', message }) : `registrar  ${message}`,
    );
  const running = createRegistrar({ registry, token, policies, name, leaseMs, log });
  if (json) printJson({ registrar: running.name, policies, registry });
  else {
    printLine(`registrar ${running.name}`);
    printLine(`policies  ${policies}`);
    printLine(`registry  ${registry}`);
  }
  await stayFor(stop);
  await running.close();
  await lines.close();
}
