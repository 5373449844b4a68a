import type { ServerResponse } from 'node:http';

/**
 * What waits, waits for somebody. One listener on `closing` serves all requests: node warns of more than ten.
 * @param closing the server ends
 * @returns gives a request's signal: it aborts when the caller has left or has its answer, or the server ends
 */
export function createEndings(closing: AbortSignal): (response: ServerResponse) => AbortSignal {
  const open = new Set<AbortController>();
  closing.addEventListener('abort', () => {
    for (const ending of open) ending.abort();
  });
  return (response) => {
    if (closing.aborted || response.destroyed) return AbortSignal.abort();
    const ending = new AbortController();
    open.add(ending);
    response.once('close', () => {
      open.delete(ending);
      ending.abort();
    });
    return ending.signal;
  };
}
