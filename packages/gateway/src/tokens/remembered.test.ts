import { expect, test } from 'vitest';
import { principalOf } from './principal.ts';
import { createRemembered } from './remembered.ts';

const principal = principalOf({ sub: 'ann' }, 'roles');

test('long tokens push out older ones by their length, and one beyond the limit is not kept', () => {
  const remembered = createRemembered({ maxTokens: 10, maxCharacters: 10 });
  const found = () => ['aaaa', 'bbbb', 'cccc'].filter((token) => remembered.find(token, 0));
  for (const token of ['aaaa', 'bbbb', 'cccc']) remembered.keep(token, principal, 1);
  expect(found()).toEqual(['bbbb', 'cccc']);
  remembered.keep('d'.repeat(11), principal, 1);
  expect(found()).toEqual([]);
  expect(remembered.find('d'.repeat(11), 0)).toBeUndefined();
});

test('kept twice, or expired and kept again, a token counts once', () => {
  const remembered = createRemembered({ maxTokens: 10, maxCharacters: 10 });
  for (let times = 0; times < 5; times++) remembered.keep('aaaa', principal, 1);
  expect(remembered.find('aaaa', 1)).toBeUndefined();
  remembered.keep('aaaa', principal, 2);
  remembered.keep('bbbb', principal, 2);
  expect(remembered.find('aaaa', 1)).toBe(principal);
  expect(remembered.find('bbbb', 1)).toBe(principal);
});
