interface Address {
  readonly canonical: string;
  readonly hostname: string;
}

/** A registration asks four times for each of its addresses, and reading one is most of what that costs. */
const lastRead = new Map<string, Address>();
const lastReadAtMost = 1_000;

function readAddress(url: string): Address {
  const known = lastRead.get(url);
  if (known) return known;
  const { protocol, host, hostname, pathname } = new URL(url);
  const address = { canonical: `${protocol}//${host}${pathname.replace(/\/+$/, '')}`, hostname };
  if (lastRead.size >= lastReadAtMost) lastRead.clear();
  lastRead.set(url, address);
  return address;
}

/**
 * Two spellings of one address are one address: scheme, host and default port as WHATWG URL writes
 * them, without a trailing slash. @throws TypeError where `url` is no URL: check it with `endpoint` first
 */
export function canonicalAddress(url: string): string {
  return readAddress(url).canonical;
}

/** As `new URL(url).hostname`. @throws TypeError where `url` is no URL */
export function hostnameOf(url: string): string {
  return readAddress(url).hostname;
}

const defaultPorts: Record<string, string> = {
  'http:': '80',
  'https:': '443',
  'amqp:': '5672',
  'amqps:': '5671',
};

/**
 * `host-port` of an endpoint's url, so that a restart in the same place is a new run of the same
 * instance. An IPv6 host loses its brackets. @throws TypeError where `url` is no URL
 */
export function instanceIdOf(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname.replace(/^\[|\]$/g, '')}-${port || defaultPorts[protocol]}`;
}
