import { expect, test } from 'vitest';
import { type AccessRecord, formatJson, formatPretty } from './observe.ts';

const record: AccessRecord = {
  at: 0,
  method: 'GET',
  path: '/tickets/1',
  route: '/tickets',
  service: 'tickets',
  instance: '127.0.0.1-3001',
  status: 200,
  ms: 3.2,
  bytes: 10,
  subject: 'ann',
  attempts: 1,
  client: '127.0.0.1',
  aborted: false,
  requestId: 'id',
  traceId: undefined,
};

test('a line for people, a line for machines', () => {
  expect(formatPretty(record)).toBe('00:00:00.000 200 GET /tickets/1 → 127.0.0.1-3001 3.2ms ann');
  expect(formatPretty({ ...record, attempts: 2, aborted: true })).toMatch(/2 attempts broke off$/);
  expect(formatPretty({ ...record, partial: 'sales; reason=timeout' })).toMatch(
    / without sales; reason=timeout$/,
  );
  const refused = {
    ...record,
    attempts: 2,
    failure: '127.0.0.1 is not in the networks',
    client: '192.0.2.7',
  };
  expect(formatPretty(refused)).toMatch(
    / ann from 192\.0\.2\.7 2 attempts failed: 127.0.0.1 is not in the networks$/,
  );
  expect(JSON.parse(formatJson(record))).toMatchObject({ status: 200, service: 'tickets' });
});

test('what a client names itself does not break out of its line', () => {
  const forged = { ...record, subject: 'ann\n00:00 200 forged\u001b[2J\u2028' };
  for (const breaking of ['\n', '\u001b', '\u2028']) expect(formatPretty(forged)).not.toContain(breaking);
  for (const breaking of ['\n', '\u001b']) expect(formatJson(forged)).not.toContain(breaking);
});
