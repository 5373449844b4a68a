// Load by wrk: it takes so little processor time that a gateway of ours is what limits.
import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pinned } from './processes.mjs';

const sameRequest = fileURLToPath(new URL('wrk.lua', import.meta.url));

export function needWrk() {
  if (spawnSync('wrk', ['-v']).error) throw new Error('wrk is needed (Debian: apt-get install wrk)');
}

/**
 * @param {{ url: string, connections: number, seconds: number, method: string, bodyBytes: number,
 *   headers: Record<string, string> }} load
 * @returns {Promise<{ requests: number, microseconds: number, p50: number, p99: number }>} latencies in microseconds
 * @throws when a single answer was not 2xx or 3xx: what fails fast must not win
 */
export function wrk({ url, connections, seconds, method, bodyBytes, headers }) {
  const args = [method, String(bodyBytes)];
  return wrkScript({ script: sameRequest, args, url, connections, seconds, headers });
}

/** The same with requests that a script of its own makes out of `args`. */
export async function wrkScript({ script, args: words, url, connections, seconds, headers = {} }) {
  const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const load = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', ...fields];
  const [file, ...args] = pinned([...load, '-s', script, url, '--', ...words], false);
  const { stdout } = await promisify(execFile)(file, args);
  const { failed, ...result } = JSON.parse(stdout.trim().split('\n').at(-1));
  if (failed > 0) throw new Error(`${failed} of ${result.requests} requests of ${url} failed:\n${stdout}`);
  return result;
}
