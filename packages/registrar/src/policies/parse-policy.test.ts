import { expect, test } from 'vitest';
import { parsePolicy } from './parse-policy.ts';
import { saidAt } from './policy.ts';

function faultsOf(text: string): string[] {
  const parsed = parsePolicy(text, 'tickets');
  if (!('faults' in parsed)) return [];
  return parsed.faults.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
}

function policyOf(text: string) {
  const parsed = parsePolicy(text, 'tickets');
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
  return parsed.policy;
}

const entry = 'url: /tickets\nauthorizedRoles: [tickets-query]\n';

test('the readable document of the original is a policy', () => {
  const document = {
    name: 'Tickets Query Service',
    url: '/tickets-query',
    endpoints: [{ type: 'http', url: 'http://127.0.0.1:3003/tickets' }],
    authorizedRoles: ['tickets-query'],
  };
  const policy = policyOf(JSON.stringify(document, undefined, 2));
  expect(policy).toMatchObject({
    service: 'Tickets Query Service',
    entry: { url: '/tickets-query', access: 'token' },
  });
  expect(policy.shared).toBeUndefined();
});

test('an instance is said as its place has it', () => {
  const place = { host: '127.0.0.1', port: 3001, instance: 'blue' };
  expect(saidAt(policyOf(`${entry}runs: { ports: [3001] }`), place)).toEqual({
    url: '/tickets',
    authorizedRoles: ['tickets-query'],
    access: 'token',
    endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001/tickets' }],
  });
  const pattern = `${entry}runs: { ports: [3001] }\nendpoints: [{ url: 'http://{host}:{port}/{instance}' }]\nversion: '3'`;
  expect(saidAt(policyOf(pattern), place)).toMatchObject({
    endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001/blue' }],
    version: '3',
  });
  expect(saidAt(policyOf(`${entry}runs: { ports: [1] }`), { ...place, host: '::1' }).endpoints[0]?.url).toBe(
    'http://[::1]:3001/tickets',
  );
});

test('what the registrar alone does is not in what the registry keeps', () => {
  const policy = policyOf(`${entry}
runs: { systemd: 'tickets@.service' }
commandChecks: [{ command: [check-disk] }]
scaling: { min: 2, start: { systemd: 'tickets@' }, drainMs: 1000 }
on: { failing: { command: [page, me] } }
`);
  expect(policy.shared).toEqual({ scaling: { min: 2 } });
});

test.each([
  ['', '1:1 : is empty'],
  ['url: [', '1:7 : Flow sequence in block collection must be sufficiently indented and end with a ]'],
  [`${entry}runs: { ports: [3001] }\ncheckz: []`, '4:1 checkz: is no field of a policy'],
  [`${entry}runs: { ports: [0] }`, '3:17 runs.ports.0: Too small: expected number to be >=1'],
  [
    `${entry}runs: { nonsense: 1 }`,
    '3:1 runs: must be one of { systemd }, { ports }, { docker } or { documents }',
  ],
  [
    `${entry}runs: { ports: [1] }\nchecking:\n  failures: two\n`,
    '5:3 checking.failures: Invalid input: expected number, received string',
  ],
  [
    'url: /tickets\nruns: { ports: [1] }',
    '1:1 authorizedRoles: is needed where url is given: an empty list is any valid token',
  ],
  [`${entry}`, '1:1 url: says nothing of where it runs: give endpoints or runs'],
  ['authorizedRoles: []', '1:1 authorizedRoles: needs url'],
  [`${entry}endpoints: [{ url: 'file:///etc' }]`, '3:15 endpoints.0.url: must not have the scheme file:'],
  ['scaling: { min: 3, max: 2 }', '1:20 scaling.max: must not be less than min'],
  ['checking: { failures: 2 }\nchecking: { failures: 3 }', '2:1 : Map keys must be unique'],
  ['on: { failing: { webhook: "ftp://there" } }', '1:18 on.failing.webhook: must be an http or https URL'],
])('%j is refused at its place', (text, fault) => {
  expect(faultsOf(text)).toContain(fault);
});

// Story (CVE-2003-1564, "billion laughs"): ten lines of aliases are gigabytes.
test('aliases that multiply are refused', () => {
  const lines = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef'].map((pair) => [...pair]))
    lines.push(`${to}: &${to} [${Array.from({ length: 9 }, () => `*${from}`).join(',')}]`);
  expect(faultsOf(lines.join('\n'))[0]).toMatch(/alias/i);
});

test('a key that would reach a prototype is one that nobody knows', () => {
  expect(faultsOf('__proto__: { polluted: true }')).not.toEqual([]);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});
