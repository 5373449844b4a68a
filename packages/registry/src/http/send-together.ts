// Answers of one turn of the event loop go out at its end, one right after the other. A caller with many
// connections is then woken once for all of them: to be woken costs more than to be written to.
import type { ServerResponse } from 'node:http';

let waiting: { readonly response: ServerResponse; readonly body: string }[] = [];

/** @param response its head is written; it ends with this body */
export function sendTogether(response: ServerResponse, body: string): void {
  waiting.push({ response, body });
  if (waiting.length === 1) setImmediate(sendAll);
}

function sendAll(): void {
  const together = waiting;
  waiting = [];
  for (const { response, body } of together) response.end(body);
}
