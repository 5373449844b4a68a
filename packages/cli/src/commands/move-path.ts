// `reg move-path`: two services change paths in one revision. Safe to repeat.
import { callRegistry, type RegistryAccess } from '../api.ts';
import { printJson, printLine } from '../print.ts';

export interface MovePathOptions extends RegistryAccess {
  readonly from: string;
  readonly to: string;
  readonly json?: boolean;
}

export async function movePath(path: string, options: MovePathOptions): Promise<void> {
  const { registry, registryToken, from, to, json } = options;
  const reply = await callRegistry('movePath', { registry, registryToken, body: { path, from, to } });
  if (json) printJson({ path, from, to, ...reply });
  else printLine(`moved  ${path}  ${from} -> ${to}`);
}
