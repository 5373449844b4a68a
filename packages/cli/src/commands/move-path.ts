// `reg move-path`: two services change paths in one revision. Safe to repeat.
import { callRegistry } from '../api.ts';
import { printJson, printLine } from '../print.ts';

export interface MovePathOptions {
  readonly registry: string;
  readonly from: string;
  readonly to: string;
  readonly json?: boolean;
}

export async function movePath(path: string, { registry, from, to, json }: MovePathOptions): Promise<void> {
  const reply = await callRegistry('movePath', { registry, body: { path, from, to } });
  if (json) printJson({ path, from, to, ...reply });
  else printLine(`moved  ${path}  ${from} -> ${to}`);
}
