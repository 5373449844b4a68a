import { expect, test } from 'vitest';
import { effectivePolicy } from './effective-policy.ts';
import { explainPolicy } from './explain-policy.ts';
import { parsePolicy } from './parse-policy.ts';

const entry = 'url: /tickets\nauthorizedRoles: []\nruns: { ports: [3001] }\n';

// Story: with an empty list of command checks an instance was checked by tcp, and the explanation said by nothing.
test.each([
  ['nothing said', entry],
  ['an empty list of command checks', `${entry}commandChecks: []\n`],
  ['a command check', `${entry}commandChecks: [{ command: [ok] }]\n`],
  ['checks', `${entry}checks: [{ type: http }]\n`],
  ['no entry', 'checking: { failures: 2 }\n'],
])('%s: the checks that are explained are those that are made', (_, text) => {
  const parsed = parsePolicy(text, 'tickets');
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
  const explained = explainPolicy(parsed.policy, undefined).find(({ path }) => path === 'checks');
  expect(explained?.value ?? []).toEqual(effectivePolicy(parsed.policy, undefined).checks);
});
