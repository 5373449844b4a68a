// The one place where an error becomes a reply (RFC 9457).
import { isRegError, type Problem, type ProblemCode, toProblem } from '@reg/schema';
import type { Answer } from './handlers.ts';
import type { Log } from './log.ts';

/** What is no RegError is a fault of ours: it goes to the log whole, and to the caller as `internal`. */
export function problemAnswer(error: unknown, requestId: string, log: Log): Answer<Problem> {
  if (!isRegError(error) || error.code === 'internal') log({ kind: 'error', requestId, error });
  const problem = toProblem(error, requestId);
  return { status: problem.status, content: problem, headers: problemHeaders(problem) };
}

export function problemHeaders({ status, code }: Problem): Record<string, string> {
  const headers = { 'Content-Type': 'application/problem+json' };
  if (status === 503) return { ...headers, 'Retry-After': '1' };
  return status === 401 ? { ...headers, 'WWW-Authenticate': challengeFor(code) } : headers;
}

/** RFC 6750 §3: who sent no token is told no error. */
function challengeFor(code: ProblemCode): string {
  const challenge = 'Bearer realm="reg-registry"';
  return code === 'token_missing' ? challenge : `${challenge}, error="invalid_token"`;
}
