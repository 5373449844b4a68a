// A registry in a process of its own, behind lines of its own to all members of a set.
import { eventually } from '../eventually.ts';
import { freePort } from '../free-port.ts';
import { type SetLines, startSetLines } from '../set-lines.ts';
import { startRegistry } from '../stack.ts';

export interface FaultyRegistry extends AsyncDisposable {
  readonly url: string;
  readonly lines: SetLines;
  kill(signal: NodeJS.Signals): void;
  /** Once it was killed; as often as it takes, since the database may be away. */
  restart(): Promise<void>;
}

const startsWithinMs = 60_000;

/** @param members `mongodb://127.0.0.1:PORT` each */
export async function startFaultyRegistry(members: readonly string[], data: string): Promise<FaultyRegistry> {
  const lines = await startSetLines(members);
  const port = await freePort();
  const start = () => startRegistry(data, port, { REG_STORE: lines.urlOf('reg') });
  let up = await start().catch(async (error) => {
    await lines[Symbol.asyncDispose]();
    throw error;
  });
  return {
    url: up.url,
    lines,
    kill: (signal) => up.process.kill(signal),
    async restart() {
      await up.process.ended;
      up = await eventually(start, undefined, { withinMs: startsWithinMs });
    },
    async [Symbol.asyncDispose]() {
      up.process.kill('SIGCONT');
      lines.mend();
      await up[Symbol.asyncDispose]();
      await lines[Symbol.asyncDispose]();
    },
  };
}
