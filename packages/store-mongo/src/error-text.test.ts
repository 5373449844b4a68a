import { expect, test } from 'vitest';
import { errorText } from './error-text.ts';

// Story: a registry whose user lost a right told everybody, in health and in each 503, the command that was refused:
// other people's documents, and what the cluster had signed; and another text with each try.
test('a command that is refused is told by its name alone', () => {
  const refused =
    'not authorized on reg to execute command { findAndModify: "state", query: { _id: "writable" }, lsid: { id: UUID("1f") }, $clusterTime: { signature: { hash: BinData(0, 9367F4BD) } },\n $db: "reg" }';
  expect(errorText(new Error(refused))).toBe('not authorized on reg to execute command findAndModify');
  expect(errorText(new Error('connect ECONNREFUSED 127.0.0.1:1'))).toBe('connect ECONNREFUSED 127.0.0.1:1');
  expect(errorText('lost')).toBe('lost');
});
