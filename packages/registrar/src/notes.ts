// What the registrar saw and did that changes nothing in the registry: said to its history, some at a time. A
// registry that keeps no history loses nothing else by it.
import { isRegError, notesAtOnce } from '@reg/schema';
import { reasonText } from './reason-text.ts';
import type { RegistryCaller } from './registry-access.ts';

interface Note {
  readonly service: string;
  readonly instanceId?: string | undefined;
  /** `check-failing`, `scaled-up`. */
  readonly event: string;
  readonly text: string;
  readonly data?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface Notes {
  add(note: Note): void;
  close(): Promise<void>;
}

const gatherMs = 200;
/** The latest are kept while the registry is away. */
const mostWaiting = 1_000;
const againMs = 5_000;
const maxTextCharacters = 500;

export function createNotes(caller: RegistryCaller, log: (line: string) => void): Notes {
  let waiting: Note[] = [];
  let timer: NodeJS.Timeout | undefined;
  /** One request at a time: what is added meanwhile goes with the next. */
  let sending: Promise<number> | undefined;
  let told: string | undefined;
  let closed = false;

  async function send(): Promise<void> {
    timer = undefined;
    sending = sendSome();
    const pauseMs = await sending;
    sending = undefined;
    plan(pauseMs);
  }

  /** @returns how long until the next */
  async function sendSome(): Promise<number> {
    const some = waiting.splice(0, notesAtOnce);
    if (some.length === 0) return gatherMs;
    try {
      await caller.ask('addNotes', { body: { notes: some } });
      told = undefined;
      return gatherMs;
    } catch (error) {
      // Away, it may come back; whatever else it says, it would say again.
      if (!isRegError(error) || error.retryable) waiting = [...some, ...waiting].slice(-mostWaiting);
      const message =
        isRegError(error) && error.code === 'not_found' ? 'this registry keeps none' : String(error);
      if (told !== message) log(`history: ${message}: what is noted is in this log alone`);
      told = message;
      return againMs;
    }
  }

  function plan(inMs: number): void {
    if (!closed && !sending && waiting.length > 0) timer ??= setTimeout(send, inMs);
  }

  return {
    add(note) {
      waiting.push({ ...note, text: reasonText(note.text, maxTextCharacters) });
      if (waiting.length > mostWaiting) waiting.shift();
      plan(gatherMs);
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await sending;
      if (told === undefined) await send();
    },
  };
}
