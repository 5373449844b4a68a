// One address of an instance. Its url replaces the service's public path; the remainder goes along.
import * as z from 'zod';
import { prototypeKeys } from './record-key.ts';
import { text } from './text.ts';

export const endpointTypes = ['http', 'http-get', 'http-post', 'amqp'] as const;

/** Which URL schemes an endpoint's type may have. */
const schemesOf: Record<(typeof endpointTypes)[number], readonly string[]> = {
  http: ['http:', 'https:'],
  'http-get': ['http:', 'https:'],
  'http-post': ['http:', 'https:'],
  amqp: ['amqp:', 'amqps:'],
};
const schemes = new Set(Object.values(schemesOf).flat());

const address = z
  .string()
  .max(2048, 'must have at most 2048 characters')
  .superRefine((value, context) => {
    const fault = addressFault(value);
    if (fault) context.addIssue({ code: 'custom', message: fault });
  });

const noUrl = 'must be an absolute URL, like http://127.0.0.1:3001/tickets';

/** One reason per branch; every reader of the registry sees the address, so it holds no secret. */
function addressFault(value: string): string | undefined {
  if (/[^\x21-\x7e]/.test(value)) return 'must be ASCII without spaces (percent-encode the rest)';
  if (value.includes('\\')) return 'must not hold a backslash';
  const url = parsed(value);
  if (!url) return noUrl;
  // To a URL's parser `localhost:3001` has the scheme `localhost:`; who wrote it forgot one.
  if (!schemes.has(url.protocol) && !value.includes('://')) return noUrl;
  if (!schemes.has(url.protocol)) return `must not have the scheme ${url.protocol}`;
  if (url.hostname === '') return 'must name a host';
  if (url.username !== '' || url.password !== '') return 'must not hold credentials: every reader sees it';
  if (value.includes('#')) return 'must not have a fragment';
  if (value.includes('?')) return "must not have a query: the request's own goes along";
  if (url.port === '0') return 'must not have port 0';
  if (/(^|\/)(\.|%2e){1,2}(\/|$)/i.test(value.replace(/^[a-z]+:\/\/[^/]*/i, ''))) {
    return 'must not hold dot segments';
  }
  return undefined;
}

/** Once: a store that starts reads very many of them. */
function parsed(value: string): URL | undefined {
  try {
    return new URL(value);
  } catch {
    return undefined; // whoever asked says so
  }
}

/** Plain text tells it where nothing is wrong, without reading the whole address again. */
function hasSchemeOf(type: Endpoint['type'], url: string): boolean {
  if (schemesOf[type].some((scheme) => url.startsWith(`${scheme}//`))) return true;
  const protocol = parsed(url)?.protocol;
  return protocol === undefined || schemesOf[type].includes(protocol);
}

/** One address of an instance. */
export const endpoint = z
  .strictObject({
    /** `http` takes any method, `http-get` GET and HEAD, `http-post` POST; `amqp` is a queue. */
    type: z.enum(endpointTypes),
    /** Absolute, without credentials, query or fragment: `http://127.0.0.1:3001/tickets`. */
    url: address,
    /** Only with `merge`: the name under which its whole answer stands in the merged one. */
    as: text(64)
      .refine((name) => !prototypeKeys.has(name), `must not be one of ${[...prototypeKeys].join(', ')}`)
      .optional(),
  })
  .superRefine(({ type, url }, context) => {
    if (hasSchemeOf(type, url)) return;
    context.addIssue({
      code: 'custom',
      path: ['url'],
      message: `type ${type} needs ${schemesOf[type].join(' or ')}`,
    });
  });

export type Endpoint = z.infer<typeof endpoint>;
