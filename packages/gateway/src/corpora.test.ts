// llhttp's cases and Http11Probe's, through the gateway on node's parser: what is taken, refused and passed on
// is written down in corpora-baseline.json, to hold against another transport later. `REG_WRITE=1` writes it anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { hasShared, skipWithout } from '../../../tests/support/part.ts';
import { llhttpCases, type Outcome, probeCases, runCases, withHost, withoutOurs } from './corpora.fixture.ts';
import { readMessages } from './strict-reader.fixture.ts';

type Baseline = Readonly<Record<'requests' | 'answers', Readonly<Record<string, string>>>>;
const path = fileURLToPath(new URL('../corpora-baseline.json', import.meta.url));

/** Taken though the suite says no, and why: what is made of them has one reading all the same. */
const known: Readonly<Record<string, string>> = {
  'COMP-HOST-EMPTY-VALUE':
    'empty is what a client sends that knows no name (RFC 9112 §3.2); the endpoint has its own',
  'llhttp invalid: Bare CR followed by CR after response line (response)':
    "undici's parser takes CR CR LF for the line's end, and shows nobody that it did",
};

describe.skipIf(skipWithout('the llhttp and Http11Probe cases', hasShared))('public cases', () => {
  test('requests: nothing ambiguous reaches an upstream, and all is as written down', async () => {
    const plain = llhttpCases('request');
    const cases = [...plain, ...plain.flatMap((one) => withHost(one) ?? []), ...probeCases()];
    const outcomes = await runCases(cases, ({ bytes }) => ({ request: bytes }));
    for (const { id, forwarded } of outcomes) {
      for (const bytes of forwarded)
        expect([id, readMessages(bytes, 'request').fault]).toEqual([id, undefined]);
    }
    expectRefused(outcomes, ({ answered }) => !/HTTP\/1.1 2/.test(answered));
    expectBaseline('requests', outcomes, ({ answered, closed, forwarded }) => {
      const statuses = Array.from(answered.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status);
      return [statuses.join(' ') || 'nothing', closed ? 'closed' : 'open', ...forwarded].join(' | ');
    });
  }, 120_000);

  test('answers: a client gets whole ones that have one reading, or hears that it is none', async () => {
    const cases = llhttpCases('response');
    const request = Buffer.from('GET /x HTTP/1.1\r\nHost: x\r\n\r\n');
    const outcomes = await runCases(cases, ({ bytes }) => ({ request, answer: bytes }));
    for (const { id, answered, closed } of outcomes) {
      const { messages, rest, fault } = readMessages(answered, 'answer');
      expect([id, fault]).toEqual([id, undefined]);
      expect([id, messages.length <= 1 && (rest === '' || closed)]).toEqual([id, true]);
    }
    expectRefused(outcomes, ({ answered }) => {
      const { messages } = readMessages(answered, 'answer');
      return messages.every((message) => message.startsWith('HTTP/1.1 502')); // none: it broke off
    });
    expectBaseline(
      'answers',
      outcomes,
      ({ answered, closed }) => `${closed ? 'closed' : 'open'} | ${withoutOurs(answered)}`,
    );
  }, 120_000);
});

/** What is known is looked at too: one that is refused by now leaves the list. */
function expectRefused(outcomes: readonly Outcome[], isRefused: (outcome: Outcome) => boolean): void {
  const taken = outcomes.filter((one) => one.mustRefuse && !isRefused(one)).map(({ id }) => id);
  expect(taken).toEqual(outcomes.filter(({ id }) => id in known).map(({ id }) => id));
}

function expectBaseline(
  part: keyof Baseline,
  outcomes: readonly Outcome[],
  describeOne: (outcome: Outcome) => string,
): void {
  const fresh = Object.fromEntries(outcomes.map((outcome) => [outcome.id, describeOne(outcome)]));
  const written: Baseline = JSON.parse(readFileSync(path, 'utf8'));
  if (process.env.REG_WRITE)
    writeFileSync(path, `${JSON.stringify({ ...written, [part]: fresh }, undefined, 2)}\n`);
  else expect(fresh).toEqual(written[part]);
}
