// `reg verify`: reads a whole store, changes nothing, and says what is wrong in it.
import { InvalidArgumentError } from 'commander';
import { exitCodes } from '../exit-code.ts';
import { note, printJson, printLine } from '../print.ts';
import { orUsage, shownStore } from '../store.ts';
import { table } from '../table.ts';

export interface VerifyOptions {
  readonly store: string;
  readonly json?: boolean;
}

export async function verify({ store, json }: VerifyOptions): Promise<void> {
  if (store === 'memory')
    throw new InvalidArgumentError('--store: a store in memory is its process\u2019s own');
  const { verifyMongoStore } = await import('@reg/store-mongo');
  const { counts, findings } = await orUsage(verifyMongoStore(store));
  process.exitCode = findings.length === 0 ? exitCodes.ok : exitCodes.failed;
  if (json) return printJson({ counts, findings });
  const read = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  note(
    `${shownStore(store)}: ${read.join(', ')}; ${findings.length === 0 ? 'nothing' : findings.length} wrong`,
  );
  if (findings.length === 0) return;
  const rows = findings.map(({ collection, id, path, message }) => [collection, id, path, message]);
  for (const line of table([['COLLECTION', 'DOCUMENT', 'FIELD', 'WHY'], ...rows])) printLine(line);
}
