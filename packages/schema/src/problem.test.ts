import { expect, test } from 'vitest';
import { isRegError, regError, toProblem } from './problem.ts';

test('an error is recognised by its marker, also one of another copy of this package', () => {
  const foreign = Object.assign(new Error('x'), { [Symbol.for('@reg/error')]: true });
  expect(isRegError(regError('compacted', 'too old'))).toBe(true);
  expect(isRegError(foreign)).toBe(true);
  expect(isRegError(new Error('x'))).toBe(false);
  expect(isRegError(null)).toBe(false);
});

test('what is no RegError is never shown: it may hold secrets', () => {
  const problem = toProblem(new Error('password=hunter2'), '1');
  expect(problem).toMatchObject({ code: 'internal', status: 500, detail: 'see the log' });
  expect(JSON.stringify(problem)).not.toContain('hunter2');
});

test('code, status and retryable come from the table; fields at fault go along', () => {
  const errors = [{ field: 'url', message: 'must begin with /' }];
  expect(toProblem(regError('invalid_request', 'url must begin with /', { errors }), '1')).toMatchObject({
    type: 'urn:reg:problem:invalid_request',
    status: 400,
    retryable: false,
    errors,
  });
});
