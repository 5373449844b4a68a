// Which machine this is, and which boot of it: what a registration without a lease says, so that what a loss of
// power left listed can be told from what runs (nothing ran on the way down).
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface ThisBoot {
  readonly machine: string;
  readonly boot: string;
}

/** machine-id(5): the id itself is confidential; what is shown is a keyed hash of it, ours alone. */
const application = 'reg';

/** @returns undefined where the machine has no id, as in many containers: then nothing can be told apart */
export function thisBoot(): ThisBoot | undefined {
  const machineId = read('/etc/machine-id');
  const boot = read('/proc/sys/kernel/random/boot_id');
  if (!/^[0-9a-f]{32}$/.test(machineId) || boot === '') return undefined;
  return { machine: machineOf(machineId), boot };
}

/** HMAC-SHA256 keyed with the id, as in sd_id128_get_machine_app_specific(3), in hex and as long as an id. */
export function machineOf(machineId: string): string {
  return createHmac('sha256', Buffer.from(machineId, 'hex')).update(application).digest('hex').slice(0, 32);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EACCES') return '';
    throw error;
  }
}
