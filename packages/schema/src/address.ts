/**
 * Two spellings of one address are one address: scheme, host and default port as WHATWG URL writes
 * them, without a trailing slash. @throws TypeError where `url` is no URL: check it with `endpoint` first
 */
export function canonicalAddress(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
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
