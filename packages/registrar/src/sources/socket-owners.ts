// Which process has a socket open, as the kernel says: proc_pid_fd(5).
import { readdir, readlink } from 'node:fs/promises';

/** Inodes. Empty where the process is gone, or not ours to look at. */
export async function socketsOf(pid: number): Promise<Set<string>> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(
    descriptors.map((one) => readlink(`/proc/${pid}/fd/${one}`).catch(() => '')),
  );
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

/** @returns the lowest pid by inode; what is not ours to look at is left out */
export async function ownersOf(inodes: readonly string[]): Promise<Map<string, number>> {
  const owners = new Map<string, number>();
  if (inodes.length === 0) return owners; // not even a look at who runs
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  for (const pid of pids.sort((one, other) => one - other)) {
    if (owners.size === inodes.length) break;
    const open = await socketsOf(pid);
    for (const inode of inodes) if (open.has(inode) && !owners.has(inode)) owners.set(inode, pid);
  }
  return owners;
}
