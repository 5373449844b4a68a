// 403: which web pages may open a WebSocket. Browsers let any page do it and send cookies along (RFC 6455
// §10.2), so unlike for other requests nobody but the server asks where the page is from.
import type { Exchange } from '../exchange.ts';
import { headerValues } from '../headers/raw-headers.ts';
import { type Refusal, refuse } from './refusal.ts';

/** A program sends no Origin. `null`, two of them, and what is no origin are foreign. */
export function checkOrigin(
  { request, client }: Pick<Exchange, 'request' | 'client'>,
  allowed: ReadonlySet<string>,
): Refusal | undefined {
  if (!request.isUpgrade) return undefined;
  const origins = headerValues(request.headers, 'origin');
  const [origin] = origins;
  if (origin === undefined) return undefined;
  const known = origins.length === 1 ? originOf(origin) : undefined;
  if (known !== undefined && (known === ownOrigin(request, client.byTrustedProxy) || allowed.has(known)))
    return undefined;
  return refuse('origin_refused', 'a page of another origin may not open a WebSocket here');
}

/** @throws Error for what is no origin: a mistyped one would allow nobody, and nobody would know why */
export function parseOrigins(texts: readonly string[]): ReadonlySet<string> {
  return new Set(
    texts.map((text) => {
      const origin = originOf(text);
      if (origin === undefined) throw new Error(`${text} is no origin, like https://app.example`);
      return origin;
    }),
  );
}

/** As the browser sees it: a trusted proxy that ends TLS says what it was asked for. */
function ownOrigin({ headers, encrypted }: Exchange['request'], byTrustedProxy: boolean): string | undefined {
  const said = (lowerName: string) =>
    byTrustedProxy ? onlyOne(headerValues(headers, lowerName)) : undefined;
  const protocol = said('x-forwarded-proto') ?? (encrypted ? 'https' : 'http');
  const host = said('x-forwarded-host') ?? headerValues(headers, 'host')[0] ?? '';
  return originOf(`${protocol}://${host}`);
}

function onlyOne(values: readonly string[]): string | undefined {
  return values.length === 1 ? values[0] : undefined;
}

/** In one spelling: lower case, no default port. Nothing may follow the port. */
function originOf(text: string): string | undefined {
  if (!/^https?:\/\/[^/?#@\\\s]+$/i.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).origin;
}
