// Networks in CIDR notation (RFC 4632, RFC 4291 §2.3): `10.0.0.0/8`, `fd00::/8`, or one address.
import { type IpAddress, isIpV4, parseIpAddress } from './ip-address.ts';

export interface Network {
  readonly address: IpAddress;
  /** Of 128, also for IPv4. */
  readonly prefixBits: number;
}

/** @throws Error for what is no network: a mistyped one would let in nobody, or everybody */
export function parseNetwork(text: string): Network {
  const [host = '', bits, ...rest] = text.split('/');
  const address = host.includes('%') ? undefined : parseIpAddress(host);
  if (!address || rest.length > 0) throw fault(text);
  const isShort = isIpV4(address) && !host.includes(':');
  const width = isShort ? 32 : 128;
  if (bits === undefined) return { address, prefixBits: 128 };
  if (!/^(0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > width) throw fault(text);
  return { address, prefixBits: Number(bits) + 128 - width };
}

/** @throws Error naming the one that is no network */
export function parseNetworks(texts: readonly string[]): readonly Network[] {
  return texts.map(parseNetwork);
}

export function isWithin(address: IpAddress, networks: readonly Network[]): boolean {
  return networks.some((network) => contains(network, address));
}

function contains({ address: base, prefixBits }: Network, address: IpAddress): boolean {
  const whole = prefixBits >> 3;
  for (let at = 0; at < whole; at++) if (base[at] !== address[at]) return false;
  const rest = prefixBits & 7;
  return rest === 0 || ((base[whole] ?? 0) ^ (address[whole] ?? 0)) >> (8 - rest) === 0;
}

function fault(text: string): Error {
  return new Error(`${JSON.stringify(text)} is no network, like 10.0.0.0/8, fd00::/8 or 192.0.2.1`);
}
