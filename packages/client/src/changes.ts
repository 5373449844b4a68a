import type { IncomingMessage } from 'node:http';
import { formatPosition, type Position } from '@reg/schema/position';
import { regError } from '@reg/schema/problem';
import type { ChangeSet } from '@reg/schema/shapes';
import { createEventReader } from './sse.ts';
import type { Transport } from './transport.ts';

export interface FollowOptions {
  readonly after: Position;
  readonly signal: AbortSignal;
  readonly gateway?: string;
  /** Silence after which the connection counts as dead; the registry says something every 5 s. */
  readonly idleMs?: number | undefined;
  /** Following alone does not keep the process alive. @default false */
  readonly background?: boolean;
  /** The registry was heard: a change, or a sign of life. */
  readonly onContact?: (() => void) | undefined;
}

const defaultIdleMs = 15_000;

/** How long a registry may take for the head of a reply before the next one is asked. */
export const answerMs = 3_000;

/** The same for a snapshot: that of 100,000 instances takes the registry a moment to write. */
export const snapshotSilenceMs = 10_000;

/**
 * Change sets after a position, over one connection, resumed by `Last-Event-ID` (WHATWG HTML §9.2).
 * Ends when `signal` aborts.
 * @throws `compacted`: too old, or of another epoch
 * @throws `registry_unavailable`: the connection broke or went silent
 */
export async function* followChanges(
  transport: Transport,
  options: FollowOptions,
): AsyncGenerator<ChangeSet, void> {
  const { after, signal, gateway, idleMs = defaultIdleMs, background = false, onContact } = options;
  try {
    const stream = await transport.open('changes', {
      query: { gateway },
      headers: { accept: 'text/event-stream', 'last-event-id': formatPosition(after) },
      timeoutMs: answerMs,
      signal,
      background,
    });
    const over = new AbortController();
    const back = () => stream.destroy(new Error('a registry that is before it in the list answers again'));
    transport.untilEarlierAnswers(over.signal).then(back, () => undefined);
    try {
      yield* readChanges(stream, { idleMs, background, onContact });
    } finally {
      over.abort();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

interface ReadOptions {
  readonly idleMs: number;
  readonly background: boolean;
  readonly onContact: (() => void) | undefined;
}

async function* readChanges(stream: IncomingMessage, options: ReadOptions): AsyncGenerator<ChangeSet, void> {
  const read = createEventReader();
  const chunks = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      options.onContact?.();
      const chunk = await next(stream, chunks, options);
      if (chunk === undefined) throw regError('registry_unavailable', 'the stream of changes ended');
      for (const { type, data } of read(chunk)) {
        if (type === 'compacted') throw regError('compacted', JSON.parse(data).detail);
        if (type === 'change') yield JSON.parse(data);
      }
    }
  } finally {
    stream.destroy();
  }
}

/** The silence is measured only while we listen: a consumer may take its time. */
async function next(
  stream: IncomingMessage,
  chunks: AsyncIterator<Uint8Array>,
  { idleMs, background }: ReadOptions,
): Promise<Uint8Array | undefined> {
  const silence = setTimeout(() => stream.destroy(new Error(`nothing for ${idleMs} ms`)), idleMs);
  if (background) silence.unref();
  try {
    const { done, value } = await chunks.next();
    return done ? undefined : value;
  } catch (cause) {
    throw regError('registry_unavailable', `the stream of changes broke: ${(cause as Error).message}`, {
      cause,
    });
  } finally {
    clearTimeout(silence);
  }
}
