import { invalid } from './invalid.ts';

/** Where `reg up` listens when nobody says otherwise. */
const defaultRegistry = 'http://127.0.0.1:3100';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the registry is: the option, else a URL in `SELF_REGISTRY`, else `REG_REGISTRY`, else the default.
 * A comma-separated list names several; the next one is tried where one does not answer.
 * @throws `invalid_request`: an entry is no http or https URL
 */
export function registryAddresses(option: string | undefined, environment: Environment = process.env): URL[] {
  const asked = environment.SELF_REGISTRY;
  const list = option ?? (asked?.startsWith('http') ? asked : environment.REG_REGISTRY || defaultRegistry);
  if (typeof list !== 'string') throw invalid('registry', `must be text, like ${defaultRegistry}`);
  const addresses = list.split(',').flatMap((one) => (one.trim() === '' ? [] : [parseAddress(one.trim())]));
  if (addresses.length > 0) return addresses;
  throw invalid('registry', 'it names no registry');
}

function parseAddress(text: string): URL {
  const address = URL.canParse(text) ? new URL(text) : undefined;
  if (address && /^https?:$/.test(address.protocol)) return address;
  throw invalid('registry', `${text} is no http or https URL`);
}

/** An address as a log may show it: it might hold credentials. */
export function shownAddress({ origin, pathname }: URL): string {
  return origin + pathname.replace(/\/+$/, '');
}
