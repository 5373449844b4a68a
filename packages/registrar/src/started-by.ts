// What a registrar starts has in its environment who started it and for which service, and so has whatever that starts
// itself: a registrar that comes later knows it by that, and takes nobody else for it.
import { readFile } from 'node:fs/promises';

const variable = 'REG_STARTED_BY';

export interface StartedBy {
  /** `registrar:NAME` */
  readonly owner: string;
  readonly service: string;
}

export function startedByEnvironment({ owner, service }: StartedBy): Record<string, string> {
  return { [variable]: `${owner} ${service}` };
}

/** Undefined: no registrar started it, or it is gone, or not ours to look at. */
export async function startedBy(pid: number): Promise<StartedBy | undefined> {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  const line = environment.split('\0').find((one) => one.startsWith(`${variable}=`));
  const [, owner, service] = /^[^=]+=(\S+) (.+)$/s.exec(line ?? '') ?? [];
  return owner !== undefined && service !== undefined ? { owner, service } : undefined;
}
