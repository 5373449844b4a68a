// A registry over a database, in a process of its own.
import { freePort } from './free-port.ts';
import { type StartedProcess, startProcess } from './process.ts';
import { root } from './stack.ts';

export interface MongoRegistry extends AsyncDisposable {
  readonly url: string;
  readonly process: StartedProcess;
}

/** @param port a fixed one, to come back where it was; 0 is any free one */
export async function startMongoRegistry(store: string, port = 0): Promise<MongoRegistry> {
  const process = await startProcess('node', [
    `${root}tests/support/mongo-registry.mjs`,
    store,
    String(port || (await freePort())),
  ]);
  const [line] = await process.printed(/^\{.*\}$/m, { withinMs: 30_000 });
  return {
    url: JSON.parse(line).registry,
    process,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}
