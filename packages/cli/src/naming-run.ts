// Which run of an instance a command means. Without its name it is whatever runs there, and only an operator may say so.
import { isRegError, regError } from '@reg/schema/problem';

type RunQuery = { readonly runId: string } | { readonly force: true };

/** @throws what `call` throws; where the token may not say `force`, which nobody typed, what to say instead */
export async function namingRun<Answer>(
  runId: string | undefined,
  call: (run: RunQuery) => Promise<Answer>,
): Promise<Answer> {
  if (runId !== undefined) return call({ runId });
  try {
    return await call({ force: true });
  } catch (error) {
    throw isForceRefused(error) ? withoutRunId(error) : error;
  }
}

function isForceRefused(error: unknown): boolean {
  if (!isRegError(error) || error.code !== 'not_permitted') return false;
  return error.errors?.some(({ field }) => field === 'force') ?? false;
}

function withoutRunId(cause: unknown): Error {
  const why = "without --run-id whatever runs there is meant, which is an operator's to say";
  const instead = 'name the run with --run-id (reg services --json shows it)';
  return regError('not_permitted', `${why}: ${instead}`, { cause });
}
