// Which header fields a gateway may not simply pass on, and why. Two tables, read by `kindOf`.

/**
 * `hop`: of this connection only (RFC 9110 §7.6.1). `framing`: says where the message goes or ends;
 * we write our own. `proxy`: an address that only a trusted proxy may claim. `forged`: identity, address
 * or target that no client may claim. `ours`: said by this gateway alone, both ways. `plain`: goes along.
 */
export type FieldKind = 'hop' | 'framing' | 'proxy' | 'forged' | 'ours' | 'plain';

const kinds: Readonly<Record<Exclude<FieldKind, 'plain'>, readonly string[]>> = {
  hop: [
    'connection',
    'keep-alive',
    'proxy-connection',
    'proxy-authenticate',
    'proxy-authentication-info',
    'proxy-authorization',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'http2-settings',
    'expect',
  ],
  framing: ['host', 'content-length'],
  proxy: ['forwarded', 'x-real-ip'],
  ours: ['x-request-id'],
  forged: [
    // Read as the client's address by npm's request-ip, which many upstreams use.
    'client-ip',
    'x-client-ip',
    'x-cluster-client-ip',
    'true-client-ip',
    'fastly-client-ip',
    'cf-connecting-ip',
    'cf-connecting-ipv6',
    'cf-pseudo-ipv4',
    'forwarded-for',
    'x-appengine-user-ip',
    // Read as the method by npm's method-override.
    'x-http-method',
    'x-http-method-override',
    'x-method-override',
    'x-middleware-subrequest',
  ],
};

const prefixes: readonly (readonly [prefix: string, kind: FieldKind])[] = [
  ['x-reg-', 'ours'],
  ['x-forwarded', 'proxy'],
  ['x-original-', 'forged'],
  ['x-rewrite-', 'forged'],
  ['x-envoy-', 'forged'],
  ['x-ssl-client', 'forged'],
];

const exact = new Map(
  Object.entries(kinds).flatMap(([kind, names]) => names.map((name) => [name, kind as FieldKind] as const)),
);

/** Names seen before: requests repeat them, and a lookup costs a seventh of the rules below. */
const remembered = new Map<string, FieldKind>();
const maxRemembered = 1_000;
const maxRememberedCharacters = 64;

/** What may be done with a field of this name, in any case and with any separator. */
export function kindOf(name: string): FieldKind {
  const known = remembered.get(name);
  if (known) return known;
  const kind = classify(name);
  if (name.length > maxRememberedCharacters) return kind;
  if (remembered.size >= maxRemembered) remembered.clear(); // somebody makes up names: begin again
  remembered.set(name, kind);
  return kind;
}

/**
 * CGI, WSGI and PHP turn `-`, `_` and more into one character, so `X_Forwarded.For` reaches an app as
 * `X-Forwarded-For`: whatever is neither letter nor digit counts as `-` here.
 */
function classify(name: string): FieldKind {
  const lower = name.toLowerCase();
  const plain = lower.replace(/[^a-z0-9]/g, '-');
  const kind = exact.get(plain) ?? prefixes.find(([prefix]) => plain.startsWith(prefix))?.[1] ?? 'plain';
  return kind === 'proxy' && lower !== plain ? 'forged' : kind; // no proxy spells it so
}
