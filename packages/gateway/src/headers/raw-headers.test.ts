import { expect, test } from 'vitest';
import { headerValues } from './raw-headers.ts';

test.each<[why: string, headers: string[], values: string[]]>([
  ['absent', ['Host', 'a'], []],
  ['in any case', ['aUTHORIZATION', 'x'], ['x']],
  ['every one, in order', ['Authorization', 'a', 'Host', 'h', 'authorization', 'b'], ['a', 'b']],
  ['empty counts', ['Authorization', ''], ['']],
  ['a value is no name', ['Host', 'authorization', 'A', 'b'], []],
  ['a name of the same length', ['Authorisation', 'x'], []],
  ['a last name without value', ['Host', 'h', 'Authorization'], []],
])('the values of one field: %s', (_why, headers, values) => {
  expect(headerValues(headers, 'authorization')).toEqual(values);
});
