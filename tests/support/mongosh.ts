// The real mongosh, as an operator has it, with a home of its own so that it reads and leaves nothing elsewhere.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.ts';

const program = fileURLToPath(new URL('../node_modules/.bin/mongosh', import.meta.url));

export interface Mongosh extends AsyncDisposable {
  /** @returns what it printed. @throws with all of it when a line fails */
  evaluate(url: string, line: string): Promise<string>;
}

export async function openMongosh(): Promise<Mongosh> {
  const home = await mkdtemp(join(tmpdir(), 'reg-mongosh-'));
  const folder = join(home, '.mongodb', 'mongosh');
  await mkdir(folder, { recursive: true });
  const quiet = { enableTelemetry: false, updateURL: '', disableLogging: true };
  await writeFile(join(folder, 'config'), JSON.stringify(quiet));
  return {
    async evaluate(url, line) {
      const env = { PATH: process.env.PATH, HOME: home };
      return (await run([program, url, '--quiet', '--norc', '--eval', line], { env })).stdout;
    },
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  };
}
