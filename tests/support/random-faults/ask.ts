// One call to a registry, and what is known afterwards: it was done, it was refused and nothing happened, or nobody
// can say.
const refusedConnection = 'ECONNREFUSED';

export type Answer =
  | { readonly outcome: 'done'; readonly status: number; readonly body: Record<string, unknown> }
  | { readonly outcome: 'refused'; readonly code: string }
  | { readonly outcome: 'unknown'; readonly code: string };

/** @throws where a registry answers with another fault than that its store cannot be used */
export async function ask(
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  url: string,
  { body, withinMs = 3_000 }: { body?: object; withinMs?: number } = {},
): Promise<Answer> {
  const answer = await call(method, url, body, withinMs);
  if ('failure' in answer) {
    const { code } = ((answer.failure as Error).cause ?? {}) as { code?: string };
    return code === refusedConnection ? { outcome: 'refused', code } : { outcome: 'unknown', code: 'lost' };
  }
  const { status, reply } = answer;
  if (status < 300) return { outcome: 'done', status, body: reply };
  const code = String(reply.code);
  if (status < 500) return { outcome: 'refused', code };
  if (code === 'store_unavailable') return { outcome: 'unknown', code };
  throw new Error(`${method} ${url} was answered ${status} ${JSON.stringify(reply)}`);
}

async function call(method: string, url: string, body: object | undefined, withinMs: number) {
  try {
    const response = await fetch(url, {
      method,
      signal: AbortSignal.timeout(withinMs),
      headers: { 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, reply: (await response.json()) as Record<string, unknown> };
  } catch (failure) {
    return { failure };
  }
}
