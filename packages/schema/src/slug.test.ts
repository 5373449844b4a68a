import { expect, test } from 'vitest';
import { slug } from './slug.ts';

test.each([
  ['Tickets Query Service', 'tickets-query-service'],
  ['  --a--  ', 'a'],
  ['Füße & Köpfe', 'fu-e-kopfe'],
  ['tickets_query.v2', 'tickets-query-v2'],
])('%s becomes %s', (name, expected) => {
  expect(slug(name)).toBe(expected);
});

test('a name without a letter of that alphabet gets a slug of its own', () => {
  expect(slug('切符')).toMatch(/^service-[0-9a-f]{8}$/);
  expect(slug('切符')).not.toBe(slug('切手'));
});

test('long names that begin alike keep slugs apart, within the 63 characters of a DNS label', () => {
  const [one, other] = [slug(`${'x'.repeat(90)}a`), slug(`${'x'.repeat(90)}b`)];
  expect(one.length).toBeLessThanOrEqual(63);
  expect(one).not.toBe(other);
});
