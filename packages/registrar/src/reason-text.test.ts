import { text } from '@reg/schema';
import { expect, test } from 'vitest';
import { reasonText } from './reason-text.ts';

// Story: a check's program coloured its output; the drain was refused for the reason's sake, and the failing instance
// went on getting requests.
test.each([
  '\u001b[31mdisk full\u001b[0m',
  'a\nb\tc\0d',
  '\ud800 alone',
  `${'x'.repeat(199)}\u{1f600}`,
  '',
  '\u202e turned',
  ' ',
])('whatever a program prints is a reason that the registry takes: %j', (printed) => {
  const reason = reasonText(printed, 200);
  expect(text(200).safeParse(reason).error?.issues).toBeUndefined();
  expect(reason.length).toBeLessThanOrEqual(200);
});
