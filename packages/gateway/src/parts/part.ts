// One endpoint asked for its part of a merged answer: the attempt, the body read whole, the verdict.
import type { Body, BodySink } from '../exchange.ts';
import type { Attempt, Failure } from '../upstreams/attempt.ts';
import { mayRetry } from '../upstreams/may-retry.ts';
import { headFault, maxPartBytes, textFault } from './part-fault.ts';

export interface PartResult {
  readonly text?: string;
  /** Why there is no text. */
  readonly fault?: string;
  /** Where no answer began. */
  readonly failure?: Failure;
}

export interface PartOptions {
  readonly as: string | undefined;
  readonly method: string;
  /** @param fresh on a connection of its own */
  readonly open: (fresh: boolean) => Attempt;
}

export class Part {
  readonly result: Promise<PartResult>;
  readonly #options: PartOptions;
  #attempt: Attempt | undefined;
  #stopped = false;
  #stop: (result: PartResult) => void = () => undefined;

  constructor(options: PartOptions) {
    this.#options = options;
    const stopped = new Promise<PartResult>((resolve) => {
      this.#stop = resolve;
    });
    this.result = Promise.race([this.#ask(false), stopped]);
  }

  /** Nobody waits for it any more; one that is whole already stays so. */
  stop(fault: string): void {
    this.#stopped = true;
    this.#stop({ fault });
    this.#attempt?.cancel();
  }

  async #ask(fresh: boolean): Promise<PartResult> {
    const { as, open } = this.#options;
    const attempt = open(fresh);
    this.#attempt = attempt;
    const answer = await attempt.result;
    if (answer.kind === 'failure') {
      return this.#mayAskAgain(answer, fresh) ? this.#ask(true) : { fault: wordFor(answer), failure: answer };
    }
    const { status, headers, body } = answer;
    const fault = headFault(status, headers);
    if (fault) {
      body.cancel();
      return { fault };
    }
    const read = await readWhole(body);
    if (typeof read === 'string') return { fault: read };
    const text = decoded(read);
    if (text === undefined) return { fault: 'not-json' };
    const unfit = textFault(text, as);
    return unfit === undefined ? { text } : { fault: unfit };
  }

  /** A used connection may close just when it is used again: that says nothing of the endpoint. */
  #mayAskAgain({ reached, timedOut, reused }: Failure, fresh: boolean): boolean {
    if (fresh || !reused) return false;
    const { method } = this.#options;
    const endless = { attempts: 1, deadlineAt: 1, now: 0 }; // `stop` is the deadline
    return mayRetry({ reached, timedOut, method, replayable: true, clientGone: this.#stopped, ...endless });
  }
}

function wordFor({ reached, timedOut }: Failure): string {
  if (timedOut) return 'timeout';
  return reached === 'nothing' ? 'unreachable' : 'broken';
}

/** RFC 8259 §8.1: JSON between systems is UTF-8. */
function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** @returns all of it, or why not. One that was cancelled is never heard of again */
function readWhole(body: Body): Promise<Uint8Array | string> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    const sink: BodySink = {
      chunk(data) {
        chunks.push(data);
        length += data.byteLength;
        if (length <= maxPartBytes) return true;
        resolve('too-large');
        body.cancel();
        return false;
      },
      end: () => resolve(Buffer.concat(chunks)),
      fail: () => resolve('broken'),
    };
    body.start(sink);
  });
}
