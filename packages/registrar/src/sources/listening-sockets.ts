// Who listens on this machine (in our network namespace), as the kernel says: proc_pid_net(5).
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';

export interface ListeningSocket {
  /** `127.0.0.1`, `::1`; `*`: at every address. */
  readonly address: string;
  readonly port: number;
  /** Another one is another socket: the kernel gives each its own. */
  readonly inode: string;
}

const listen = '0A';

/** Several policies look at once. */
const sharedMs = 50;
let shared: { readonly at: number; readonly sockets: Promise<ListeningSocket[]> } | undefined;

/** @throws where there is no /proc/net/tcp */
export function readListeningSockets(): Promise<ListeningSocket[]> {
  const at = performance.now();
  if (!shared || at - shared.at > sharedMs) shared = { at, sockets: readAll() };
  return shared.sockets;
}

async function readAll(): Promise<ListeningSocket[]> {
  const fourth = readFile('/proc/net/tcp', 'utf8');
  const sixth = readFile('/proc/net/tcp6', 'utf8').catch(() => ''); // a machine without IPv6 has none
  return [...parseSockets(await fourth), ...parseSockets(await sixth)];
}

export function parseSockets(table: string): ListeningSocket[] {
  return table.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    if (state !== listen || inode === '') return [];
    const [address = '', port = ''] = local.split(':');
    return [{ address: addressOf(address), port: Number.parseInt(port, 16), inode }];
  });
}

/** Words of 32 bits in the byte order of the machine, which is little-endian where node runs. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.every((byte) => byte === '00')) return '*';
  const numbers = bytes.map((byte) => Number.parseInt(byte, 16));
  const mapped = bytes.length === 16 && bytes.slice(0, 12).join('') === `${'00'.repeat(10)}FFFF`;
  if (bytes.length === 4 || mapped) return numbers.slice(-4).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.slice(2 * index, 2 * index + 2).join(''));
  return canonicalSixth(groups.join(':'));
}

/** The one way to write it (RFC 5952), as the URL parser does. */
function canonicalSixth(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** Whether `host` is this machine, so that its sockets tell who listens there. */
export function isThisMachine(host: string): boolean {
  if (host === 'localhost' || host === '::1' || /^127\./.test(host)) return true;
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === host));
}

/** The one through which `host` and `port` are reached. */
export function socketAt(
  sockets: readonly ListeningSocket[],
  host: string,
  port: number,
): ListeningSocket | undefined {
  const fits = sockets.filter((socket) => {
    if (socket.port !== port) return false;
    if (socket.address === '*' || socket.address === host) return true;
    return host === 'localhost' && /^(127\.|::1$)/.test(socket.address);
  });
  // Several share a port (SO_REUSEPORT): always the same one of them names the run.
  return fits.sort((one, other) => Number(one.inode) - Number(other.inode))[0];
}
