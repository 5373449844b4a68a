// IP addresses as numbers, so that one address has one form however it is spelled. Zod-free, and of no
// module of node's: the registry and the gateway judge by the same lines.

/** 128 bits, the first one first. IPv4 is `::ffff:a.b.c.d`, as sockets for both versions have it (RFC 4291 §2.5.5.2). */
export type IpAddress = readonly number[];

/**
 * What `net.Socket` and `X-Forwarded-For` say: `192.0.2.1`, `2001:db8::1`, `::ffff:192.0.2.1`, a zone
 * (`%eth0`) is left out. Octal, hexadecimal and short IPv4 are none here: `new URL` makes plain ones of those.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  const v4 = bytesOfV4(text);
  if (v4) return [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...v4];
  const [address = '', zone] = text.split('%');
  return zone === '' ? undefined : bytesOfV6(address);
}

export function isIpV4(address: IpAddress): boolean {
  return address.every((byte, at) => at >= 12 || byte === (at < 10 ? 0 : 0xff));
}

/** `192.0.2.1`, or `2001:db8:0:0:0:0:0:1`: for comparing and for people, never shortened. */
export function formatIpAddress(address: IpAddress): string {
  if (isIpV4(address)) return address.slice(12).join('.');
  return groupsOf(address).join(':');
}

function groupsOf(address: IpAddress): string[] {
  return Array.from({ length: 8 }, (_, at) =>
    ((address[at * 2] ?? 0) * 256 + (address[at * 2 + 1] ?? 0)).toString(16),
  );
}

function bytesOfV4(text: string): number[] | undefined {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined;
  const bytes = text.split('.').map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

/** RFC 4291 §2.2: `::` once, for one group or more; the last 32 bits may be written as IPv4. */
function bytesOfV6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, at) => bytesOfGroups(half, at === halves.length - 1));
  if (!head) return undefined;
  if (halves.length === 1) return head.length === 16 ? head : undefined;
  if (!tail || head.length + tail.length > 14) return undefined;
  return [...head, ...new Array<number>(16 - head.length - tail.length).fill(0), ...tail];
}

function bytesOfGroups(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return [];
  const groups = text.split(':');
  const bytes: number[] = [];
  for (const [at, group] of groups.entries()) {
    const v4 = isLast && at === groups.length - 1 ? bytesOfV4(group) : undefined;
    if (!v4 && !/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
    const number = Number.parseInt(group, 16);
    bytes.push(...(v4 ?? [number >> 8, number & 0xff]));
  }
  return bytes;
}
