// Opens every connection to an upstream, and none to an address where no upstream may be. It looks at the
// very address that is connected to: what a name stood for when it was registered says nothing of now.
import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import { addressRefusal, hostRefusal, type Network, parseIpAddress } from '@reg/schema/networks';
import { buildConnector } from 'undici';

export type LookupAll = (
  hostname: string,
  options: dns.LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: dns.LookupAddress[]) => void,
) => void;

export interface ConnectRules {
  readonly connectTimeoutMs: number;
  /** Where upstreams may be. */
  readonly upstreamNetworks: readonly Network[];
  /** @default the system's resolver, `/etc/hosts` included */
  readonly lookup?: LookupAll | undefined;
}

export function createConnector({
  connectTimeoutMs,
  upstreamNetworks,
  lookup = dns.lookup,
}: ConnectRules): buildConnector.connector {
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    allowH2: false,
    lookup: allowedLookup(lookup, upstreamNetworks),
  });
  return (options, callback) => {
    const { hostname } = options;
    const host = hostname.includes(':') ? `[${hostname}]` : hostname;
    const refusal = hostRefusal(host, upstreamNetworks); // node looks up names only
    if (refusal === undefined) connect(options, callback);
    else queueMicrotask(() => callback(refused(refusal), null));
  };
}

/** Of a name's addresses only those that are allowed: node tries no other, whatever it falls back to. */
function allowedLookup(lookup: LookupAll, networks: readonly Network[]): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) {
        callback(error, []);
        return;
      }
      const refusals = addresses.map(({ address }) => refusalOf(address, networks));
      const allowed = addresses.filter((_, at) => refusals[at] === undefined);
      const [first] = allowed;
      if (!first) callback(refused(`${hostname}: ${refusals[0] ?? 'it has no address'}`), []);
      else if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function refusalOf(text: string, networks: readonly Network[]): string | undefined {
  const address = parseIpAddress(text);
  return address ? addressRefusal(address, networks) : `${text} is no address`;
}

function refused(reason: string): NodeJS.ErrnoException {
  return Object.assign(new Error(reason), { code: 'REG_ADDRESS_REFUSED' });
}
