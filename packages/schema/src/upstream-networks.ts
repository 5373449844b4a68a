// Where an upstream may be. The registry asks when an address is registered, the gateway for the very
// address that it connects to: a name may stand for another one by then (DNS rebinding).
import { formatIpAddress, type IpAddress, isIpV4, parseIpAddress } from './ip-address.ts';
import { isWithin, type Network, parseNetworks } from './network.ts';

/**
 * Loopback and private ranges (RFC 1918, RFC 4193). Not 100.64.0.0/10 (RFC 6598): it belongs to providers,
 * and one keeps its metadata there.
 */
export const defaultUpstreamNetworks: readonly string[] = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::1/128',
  'fc00::/7',
];

/** Whatever an operator allows: nobody means these. Why each is here stands beside it. */
const neverAllowed: ReadonlyMap<string, readonly Network[]> = new Map([
  ['unspecified', parseNetworks(['0.0.0.0/8', '::/128'])], // Linux connects 0.0.0.0 to itself
  ['broadcast', parseNetworks(['255.255.255.255'])],
  ['multicast', parseNetworks(['224.0.0.0/4', 'ff00::/8'])],
  [
    'cloud metadata',
    parseNetworks([
      '169.254.169.254', // most of them; the network below has the rest
      '100.100.100.200', // Alibaba
      '168.63.129.16', // Azure's WireServer
      '192.0.0.192', // Oracle, classic
      'fd00:ec2::/32', // AWS: ::254 metadata, ::23 pod identity, ::253 resolver
      'fd20:ce::254', // Google
      'fd00:c1::a9fe:a9fe', // Oracle
      'fd00:42::42', // Scaleway
    ]),
  ],
  ['link-local', parseNetworks(['169.254.0.0/16', 'fe80::/10'])],
]);

const metadataNames = new Set(['metadata.google.internal', 'metadata.goog', 'instance-data.ec2.internal']);

const loopbackV6 = parseNetworks(['::1']);

/** Networks whose addresses stand for an IPv4 one, and which of their bytes that is. */
const embedding: readonly { readonly networks: readonly Network[]; readonly bytes: readonly number[] }[] = [
  { networks: parseNetworks(['64:ff9b::/96', '64:ff9b:1::/48']), bytes: [12, 13, 14, 15] }, // NAT64 (RFC 6052)
  { networks: parseNetworks(['64:ff9b:1::/48']), bytes: [6, 7, 9, 10] }, // the same, for the whole /48 (RFC 8215)
  { networks: parseNetworks(['2002::/16']), bytes: [2, 3, 4, 5] }, // 6to4 (RFC 3056)
  { networks: parseNetworks(['::/96', '::ffff:0:0:0/96']), bytes: [12, 13, 14, 15] }, // compatible; SIIT (RFC 2765)
];

/** @returns why no upstream may be at this address; undefined: it may */
export function addressRefusal(address: IpAddress, allowed: readonly Network[]): string | undefined {
  for (const one of [address, ...embeddedIn(address)]) {
    for (const [kind, networks] of neverAllowed) {
      if (isWithin(one, networks)) return `${formatIpAddress(address)} is ${kind}: no upstream may be there`;
    }
  }
  if (isWithin(address, allowed)) return undefined;
  return `${formatIpAddress(address)} is not in the networks of --allow-upstreams`;
}

/**
 * For a host that is an address in any spelling, or the name of a cloud's metadata. Any other name passes:
 * what it stands for is known when it is connected to.
 * @param hostname as `new URL` gives it, of any scheme
 */
export function hostRefusal(hostname: string, allowed: readonly Network[]): string | undefined {
  const four = hostname.includes(':') ? undefined : parseIpAddress(hostname); // nobody reads it otherwise
  if (four) return addressRefusal(four, allowed);
  const plain = plainHost(hostname);
  if (plain === undefined) return 'is no host';
  const address = parseIpAddress(plain.replace(/^\[|\]$/g, ''));
  if (address) return addressRefusal(address, allowed);
  const name = plain.replace(/\.$/, '');
  return metadataNames.has(name) ? `${name} is cloud metadata: no upstream may be there` : undefined;
}

/** URL reads `0x7f.1`, `2852039166` and `%31` for http alone, not for `amqp:`. */
function plainHost(hostname: string): string | undefined {
  if (/[/?#@\\]/.test(hostname)) return undefined;
  const url = `http://${hostname}/`;
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

function embeddedIn(address: IpAddress): IpAddress[] {
  if (isIpV4(address) || isWithin(address, loopbackV6)) return [];
  const found = embedding.filter(({ networks }) => isWithin(address, networks));
  return found.map(({ bytes }) => [
    ...new Array<number>(10).fill(0),
    ...[0xff, 0xff],
    ...bytes.map((at) => address[at] ?? 0),
  ]);
}
