import { readFile } from 'node:fs/promises';

let boot: Promise<string> | undefined;

/** Another one after each start of the machine; empty where the system tells none. */
export function bootId(): Promise<string> {
  boot ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
  return boot;
}
