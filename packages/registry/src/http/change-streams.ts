// GET /v1/changes as Server-Sent Events (WHATWG HTML §9.2). The event id is the position, so a reader
// that comes again with `Last-Event-ID` misses nothing. We write only as fast as the reader reads: one
// that is slow holds back the iteration, not our memory, and is told `compacted` when the log moved on.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type ChangeSet, formatPosition, isRegError, type Problem, regError, toProblem } from '@reg/schema';
import type { Clock } from '../clock.ts';
import type { Registry } from '../registry.ts';
import { commonHeaders } from './common-headers.ts';
import type { ChangesAnswer } from './handlers.ts';

const maxStreams = 1_000;
/** A reader that took nothing for this many beats is gone: it frees its place and may come again. */
const maxStalledBeats = 12;

export interface ChangeStreamsOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  /** A comment this often tells both sides that the other is there. */
  readonly keepAliveMs: number;
  /** Ends every stream. */
  readonly signal: AbortSignal;
}

/**
 * @returns answers one request with a stream, until either side ends it. A refusal is thrown before the
 * first byte, `compacted` is an event later, and what else breaks ends the stream and is thrown for the log
 */
export function createChangeStreams({ registry, clock, keepAliveMs, signal }: ChangeStreamsOptions) {
  const open = new Set<AbortController>();
  signal.addEventListener('abort', () => {
    for (const ending of open) ending.abort();
  });

  return async (response: ServerResponse, answer: ChangesAnswer, requestId: string): Promise<void> => {
    if (open.size >= maxStreams)
      throw regError('limit_reached', `${maxStreams} readers follow the changes already`);
    const ending = new AbortController();
    open.add(ending);
    response.once('close', () => ending.abort());
    if (signal.aborted || response.destroyed) ending.abort();
    let stopBeat: (() => void) | undefined;
    try {
      const sets = registry.changes(answer.after, ending.signal, answer.gateway); // refuses at once: an answer yet
      begin(response, formatPosition(answer.after), requestId);
      if (response.req.method === 'HEAD') return;
      stopBeat = keepAlive(response, clock, keepAliveMs, () => answer.lasts() || ending.abort());
      await follow(response, answer.after.epoch, sets, ending.signal);
    } catch (error) {
      if (ending.signal.aborted) return;
      if (!response.headersSent || !isRegError(error) || error.code !== 'compacted') throw error;
      response.write(eventOf('compacted', toProblem(error, requestId)));
    } finally {
      stopBeat?.();
      open.delete(ending);
      ending.abort();
      if (response.headersSent) response.end();
    }
  };
}

/** At once, so that a reader knows it is heard; the id makes a reconnect resume even before a change. */
function begin(response: ServerResponse, id: string, requestId: string): void {
  response.writeHead(200, { ...commonHeaders(requestId), 'Content-Type': 'text/event-stream' });
  if (response.req.method !== 'HEAD') response.write(`: following\nid: ${id}\n\n`);
}

async function follow(
  response: ServerResponse,
  epoch: string,
  sets: AsyncIterable<ChangeSet>,
  signal: AbortSignal,
): Promise<void> {
  for await (const set of sets) {
    const id = formatPosition({ epoch, revision: set.revision });
    if (!response.write(`id: ${id}\n${eventOf('change', set)}`)) await once(response, 'drain', { signal });
  }
}

/** JSON holds no line break, so one `data` line takes it whole. */
function eventOf(event: 'change' | 'compacted', data: ChangeSet | Problem): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** @returns ends it */
function keepAlive(
  response: ServerResponse,
  clock: Clock,
  keepAliveMs: number,
  onBeat: () => void,
): () => void {
  let stalledBeats = 0;
  return clock.every(keepAliveMs, () => {
    onBeat();
    stalledBeats = response.writableNeedDrain ? stalledBeats + 1 : 0;
    if (stalledBeats === 0) response.write(': keep-alive\n\n');
    if (stalledBeats >= maxStalledBeats) response.destroy();
  });
}
