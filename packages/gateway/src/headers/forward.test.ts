import { expect, test } from 'vitest';
import { seededRandom, seeds } from '../../../../tests/support/random.ts';
import { count } from '../../../../tests/support/size.ts';
import { principalOf } from '../tokens/principal.ts';
import { type ForwardedRequest, requestHeaders, responseHeaders } from './forward.ts';
import { headerValues } from './raw-headers.ts';

const principal = principalOf({ sub: 'ann', roles: ['tickets-query', 'billing'] }, 'roles');
const base: ForwardedRequest = {
  headers: ['Host', 'shop.example:3000', 'Accept', '*/*'],
  principal,
  remoteAddress: '192.0.2.1',
  encrypted: false,
  endpointHost: '127.0.0.1:3001',
  requestId: 'f3a1',
};
const ours = [
  ['X-Forwarded-For', '192.0.2.1'],
  ['X-Forwarded-Proto', 'http'],
  ['X-Forwarded-Host', 'shop.example:3000'],
  ['Forwarded', 'for=192.0.2.1;host="shop.example:3000";proto=http'],
  ['X-Reg-Subject', 'ann'],
  ['X-Reg-Roles', 'tickets-query,billing'],
  ['X-Request-Id', 'f3a1'],
];
const toUpstream = (...headers: string[]) =>
  requestHeaders({ ...base, headers: [...base.headers, ...headers] });

test('the head of a request: the endpoint as Host, what came, then ours', () => {
  const expected = [['Host', '127.0.0.1:3001'], ['Accept', '*/*'], ...ours];
  expect(requestHeaders(base)).toEqual(expected.flat());
});

test('the token, the trace, cookies and unknown fields go along, repeated and in order', () => {
  const kept = ['authorization', 'Bearer a.b.c', 'traceparent', '00-1', 'tracestate', 'a=1', 'Cookie', 'a=1'];
  kept.push('my_own_field', '1', 'X-Registered', 'yes', 'Accept', 'text/html', 'User-Agent', 'curl');
  expect(toUpstream(...kept).slice(4, -ours.flat().length)).toEqual(kept);
});

test.each<[why: string, headers: string[]]>([
  [
    'Connection and what it nominates',
    ['Connection', 'close, X-Secret , ,\tx-OTHER', 'X-Secret', '1', 'x-other', '2'],
  ],
  ['two Connection fields', ['Connection', 'X-A', 'connection', 'X-B', 'x-a', '1', 'x-b', '1']],
  ['the nominated token', ['Connection', 'authorization', 'Authorization', 'Bearer a.b.c']],
  ['Keep-Alive', ['Keep-Alive', 'timeout=5']],
  ['Proxy-Connection', ['Proxy-Connection', 'keep-alive']],
  ['Proxy-Authorization', ['Proxy-Authorization', 'Basic YTpi']],
  ['Proxy-Authenticate', ['Proxy-Authenticate', 'Basic']],
  ['TE', ['TE', 'trailers']],
  ['Trailer', ['Trailer', 'X-Checksum']],
  ['Transfer-Encoding', ['Transfer-Encoding', 'chunked']],
  ['Upgrade', ['Upgrade', 'websocket', 'Connection', 'Upgrade']],
  ['HTTP2-Settings', ['HTTP2-Settings', 'AAMAAABk', 'Connection', 'Upgrade, HTTP2-Settings']],
  ['Expect', ['Expect', '100-continue']],
  ['Content-Length, which is given apart', ['Content-Length', '7']],
  ['its look-alike', ['Content_Length', '7']],
  ['look-alike of a hop-by-hop field', ['Transfer_Encoding', 'chunked', 'proxy.connection', 'close']],
  [
    'a nomination of ours',
    ['Connection', 'x-forwarded-for, forwarded, host, x-reg-subject, x-reg-roles, x-request-id'],
  ],
])('gone before ours are added: %s', (_why, headers) => {
  expect(toUpstream(...headers)).toEqual(requestHeaders(base));
});

/** The list of the design's §7, and what widely used npm packages read as address or method. */
const forgeable = [
  ...['X-Reg-Subject', 'X-Reg-Roles', 'X-Reg-Anything', 'X-Request-Id'],
  ...[
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'X-Forwarded-Port',
    'X-Forwarded-Client-Cert',
  ],
  ...['X-Forwarded', 'Forwarded', 'Forwarded-For', 'X-Real-IP', 'X-Client-IP', 'Client-IP', 'True-Client-IP'],
  ...['CF-Connecting-IP', 'CF-Connecting-IPv6', 'Fastly-Client-IP', 'X-Cluster-Client-IP'],
  ...['X-Original-URL', 'X-Original-Host', 'X-Original-For', 'X-Rewrite-URL', 'X-HTTP-Method-Override'],
  ...['X-HTTP-Method', 'X-Method-Override', 'X-Middleware-Subrequest', 'X-Envoy-External-Address'],
  ...['X-Envoy-Original-Path', 'X-SSL-Client-Cert', 'X-SSL-Client-S-DN'],
];

test.each(forgeable)('a client cannot say %s, in any case, by underscores, nominated or not', (name) => {
  const spellings = [name, name.toLowerCase(), name.toUpperCase(), name.replaceAll('-', '_')];
  spellings.push(name.replace('-', '_'), name.replaceAll('-', '.').toLowerCase());
  for (const spelling of spellings) {
    expect(toUpstream(spelling, 'evil'), spelling).toEqual(requestHeaders(base));
    expect(toUpstream('Connection', spelling, spelling, 'evil'), spelling).toEqual(requestHeaders(base));
    expect(toUpstream(spelling, '', spelling, 'evil'), spelling).toEqual(requestHeaders(base));
  }
});

test.each(seeds([20_260_101]))(
  'seed %i: whatever mix of forged, nominated and plain fields comes, ours are there once and only plain go along',
  (seed) => {
    const random = seededRandom(seed);
    const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
    const spell = (name: string) =>
      [...name]
        .map((letter) => (letter === '-' ? pick(['-', '_', '-', '.']) : pick([letter, letter.toUpperCase()])))
        .join('');
    const plain = ['Accept', 'Cookie', 'my_field', 'X-Trace', 'authorization', 'Content-Type', 'x-registry'];
    const rounds = count({ reduced: 2_000, whole: 50_000 });
    for (let round = 0; round < rounds; round++) {
      const headers: string[] = ['Host', 'shop.example:3000'];
      const nominated = new Set<string>();
      const sent: (readonly [string, string])[] = [];
      for (let fields = Math.floor(random() * 12); fields > 0; fields--) {
        const name = random() < 0.5 ? spell(pick(forgeable)) : pick(plain);
        if (random() < 0.2) nominated.add(name.toLowerCase());
        sent.push([name, `v${fields}`]);
      }
      const connection = [
        'Connection',
        [...nominated, 'keep-alive'].join(pick([',', ', ', ' ,,\t'])),
      ] as const;
      sent.splice(Math.floor(random() * (sent.length + 1)), 0, connection);
      headers.push(...sent.flat());
      const kept = sent.filter(([name]) => plain.includes(name) && !nominated.has(name.toLowerCase()));
      const expected = [['Host', '127.0.0.1:3001'], ...kept, ...ours].flat();
      expect(requestHeaders({ ...base, headers }), `seed ${seed}, round ${round}`).toEqual(expected);
    }
  },
);

test('a client that makes up names by the thousand does not unsettle what is known of them', () => {
  for (let made = 0; made < 3_000; made++) toUpstream(`x-made-up-${made}`, '1', `x_reg_${made}`, '1');
  expect(toUpstream('x_forwarded_for', 'evil', 'te', 'trailers')).toEqual(requestHeaders(base));
  expect(toUpstream('x-made-up-1', '1').slice(4, 6)).toEqual(['x-made-up-1', '1']);
  expect(toUpstream(`x-reg-${'a'.repeat(10_000)}`, 'evil')).toEqual(requestHeaders(base));
});

test.each<[remoteAddress: string, plain: string | undefined, element: string]>([
  ['192.0.2.1', '192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8::1', '"[2001:db8::1]"'],
  ['fe80::1%eth0', 'fe80::1', '"[fe80::1]"'],
  ['::1', '::1', '"[::1]"'],
  ['', undefined, 'unknown'],
])('the peer %s is told as RFC 7239 writes it', (remoteAddress, plain, element) => {
  const head = requestHeaders({ ...base, remoteAddress, encrypted: true });
  expect(headerValues(head, 'x-forwarded-for')).toEqual(plain === undefined ? [] : [plain]);
  expect(headerValues(head, 'forwarded')).toEqual([`for=${element};host="shop.example:3000";proto=https`]);
  expect(headerValues(head, 'x-forwarded-proto')).toEqual(['https']);
});

test('a Host that would end the quoted string is escaped; none is none', () => {
  const odd = requestHeaders({ ...base, headers: ['Host', 'a";for="10.0.0.1\\'] });
  expect(headerValues(odd, 'forwarded')).toEqual([
    'for=192.0.2.1;host="a\\";for=\\"10.0.0.1\\\\";proto=http',
  ]);
  const without = requestHeaders({ ...base, headers: [] });
  expect(headerValues(without, 'x-forwarded-host')).toEqual([]);
  expect(headerValues(without, 'forwarded')).toEqual(['for=192.0.2.1;proto=http']);
});

test('subject and roles are percent-encoded UTF-8: no name can end a list or a line', () => {
  const named = principalOf({ sub: 'Zoë\r\nX-Reg-Roles: root', roles: ['a,b', 'ünï 100%', ''] }, 'roles');
  const head = requestHeaders({ ...base, principal: named });
  expect(headerValues(head, 'x-reg-subject')).toEqual(['Zo%C3%AB%0D%0AX-Reg-Roles%3A%20root']);
  expect(headerValues(head, 'x-reg-roles')).toEqual(['a%2Cb,%C3%BCn%C3%AF%20100%25,']);
});

test('a public route names nobody, whatever the client says', () => {
  const headers = [...base.headers, 'X-Reg-Subject', 'root', 'x_reg_roles', 'admin'];
  const head = requestHeaders({ ...base, headers, principal: undefined });
  expect(headerValues(head, 'x-reg-subject')).toEqual([]);
  expect(head.join()).not.toMatch(/root|admin/);
});

test('a known length is said once', () => {
  const headers = [...base.headers, 'content-length', '5', 'Connection', 'content-length'];
  expect(headerValues(requestHeaders({ ...base, headers, contentLength: 5 }), 'content-length')).toEqual([
    '5',
  ]);
  expect(headerValues(requestHeaders({ ...base, contentLength: 0 }), 'content-length')).toEqual(['0']);
});

test('the head of an answer: hop-by-hop, X-Reg-* and X-Request-Id gone, the rest as it came, in order', () => {
  const kept = [
    'Set-Cookie',
    'a=1',
    'set-cookie',
    'b=2',
    'Content-Length',
    '5',
    'X-Real-IP',
    '::1',
    'ETag',
    '"1"',
  ];
  kept.push('Server', 'x', 'Via', '1.1 a', 'x-registered', '1');
  const gone = ['Connection', 'close, X-Hop', 'x-hop', '1', 'Keep-Alive', 'timeout=5', 'Upgrade', 'h2c'];
  gone.push(
    'Transfer-Encoding',
    'chunked',
    'Trailer',
    'X-T',
    'Proxy-Authenticate',
    'Basic',
    'X-Reg-Subject',
    'root',
  );
  gone.push(
    'x_reg_degraded',
    '1',
    'X-REG-Partial',
    'a',
    'x-request-id',
    'theirs',
    'Proxy-Connection',
    'close',
  );
  expect(responseHeaders([...gone, ...kept])).toEqual(kept);
  expect(responseHeaders([...kept, ...gone])).toEqual(kept);
});

const fromProxy = (...headers: string[]) =>
  requestHeaders({ ...base, byTrustedProxy: true, headers: [...base.headers, ...headers] });

test('from a trusted proxy: what it says goes along, and both lists go on with us', () => {
  const said = ['X-Forwarded-Port', '443', 'x-real-ip', '203.0.113.9', 'X-Forwarded-Proto', 'https'];
  const head = fromProxy(
    ...said,
    'X-Forwarded-For',
    '203.0.113.9',
    'Forwarded',
    'for=203.0.113.9;proto=https',
  );
  expect(head.slice(4, 4 + said.length)).toEqual(said);
  expect(headerValues(head, 'x-forwarded-for')).toEqual(['203.0.113.9, 192.0.2.1']);
  expect(headerValues(head, 'forwarded')).toEqual([
    'for=203.0.113.9;proto=https, for=192.0.2.1;host="shop.example:3000";proto=http',
  ]);
  expect(headerValues(head, 'x-forwarded-proto')).toEqual(['https']);
  expect(headerValues(head, 'x-forwarded-host')).toEqual(['shop.example:3000']);
});

test('a proxy that speaks X-Forwarded-For alone is not made the client by our Forwarded', () => {
  const head = fromProxy('X-Forwarded-For', '2001:db8::9', 'x-forwarded-for', 'odd";x, 203.0.113.9:4711');
  expect(headerValues(head, 'x-forwarded-for')).toEqual(['2001:db8::9, odd";x, 203.0.113.9:4711, 192.0.2.1']);
  expect(headerValues(head, 'forwarded')).toEqual([
    'for="[2001:db8::9]", for=unknown, for=203.0.113.9, for=192.0.2.1;host="shop.example:3000";proto=http',
  ]);
});

test('a client behind a trusted proxy cannot nominate that one’s fields away', () => {
  const head = fromProxy(
    'Connection',
    'x-forwarded-for, x-real-ip',
    'X-Forwarded-For',
    '203.0.113.9',
    'X-Real-IP',
    '1',
  );
  expect(headerValues(head, 'x-forwarded-for')).toEqual(['203.0.113.9, 192.0.2.1']);
  expect(headerValues(head, 'x-real-ip')).toEqual(['1']);
});

const exceptedForProxies = /^(X-Forwarded|Forwarded$|X-Real-IP$)/;

test.each(forgeable.filter((name) => !exceptedForProxies.test(name)))(
  'not even a trusted proxy can say %s',
  (name) => {
    expect(fromProxy(name, 'evil', name.replaceAll('-', '_'), 'evil')).toEqual(requestHeaders(base));
  },
);

test('the look-alikes of what a trusted proxy may say are nobody’s to say', () => {
  for (const name of [
    'X_Forwarded_For',
    'x_real_ip',
    'X-Forwarded_Proto',
    'x.forwarded.host',
    'x_forwarded_for',
  ]) {
    expect(fromProxy(name, 'evil'), name).toEqual(requestHeaders(base));
  }
});
