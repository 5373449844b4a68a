// etcd: what ETCD names, else the one that lies packed beside this repository, else the PATH's.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const unpack = fileURLToPath(new URL('../../../shared/etcd/unpack', import.meta.url));
const cache = fileURLToPath(new URL('../node_modules/.cache/etcd', import.meta.url));

/** @returns {{ path: string, version: string } | undefined} undefined where there is none */
export function findEtcd() {
  const path = process.env.ETCD ?? (existsSync(unpack) ? unpacked() : 'etcd');
  const { stdout, error } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  if (error) return undefined;
  return { path, version: /etcd Version: (\S+)/.exec(stdout)?.[1] ?? 'unknown' };
}

function unpacked() {
  return execFileSync(unpack, [cache], { encoding: 'utf8' }).trim();
}
