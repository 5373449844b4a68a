// Requests under way while something else happens: every answer is counted, none is repeated.
import { randomUUID } from 'node:crypto';

interface Answer {
  readonly status: number;
  /** Who answered, as tickets says in `X-Served-By`. */
  readonly servedBy: string | null;
  /** Of `performance.now()`. */
  readonly sentAt: number;
}

interface Load {
  readonly answers: readonly Answer[];
  /** What went wrong, in words; empty when nothing did. */
  readonly failures: readonly string[];
}

export interface RunningLoad {
  /** How many were answered until now. */
  answered(): number;
  /** Sends no more and waits for those under way. */
  stop(): Promise<Load>;
}

export interface LoadOptions {
  readonly authorization: string;
  readonly lanes?: number;
  readonly perSecond?: number;
  /** Every other request is a POST, which the service answers with its body. @default false */
  readonly posts?: boolean;
}

/** GETs one after the other on `lanes` lanes until stopped; with `perSecond`, spread evenly at that rate. */
export function startLoad(
  url: string,
  { authorization, lanes = 8, perSecond, posts = false }: LoadOptions,
): RunningLoad {
  const answers: Answer[] = [];
  const failures: string[] = [];
  let stopped = false;
  let sent = 0;

  async function send(): Promise<void> {
    sent++;
    const sentAt = performance.now();
    const post = posts && sent % 2 === 0 ? { method: 'POST', body: randomUUID() } : undefined;
    try {
      const response = await fetch(url, { ...post, headers: { authorization } });
      const body = await response.text();
      answers.push({ status: response.status, servedBy: response.headers.get('x-served-by'), sentAt });
      if (response.status !== 200) failures.push(`${response.status} ${body}`);
      else if (post && body !== post.body) failures.push(`${post.body} was answered with ${body}`);
    } catch (error) {
      failures.push(String(error instanceof Error ? (error.cause ?? error) : error));
    }
  }
  async function lane(): Promise<void> {
    while (!stopped) await send();
  }
  async function paced(everyMs: number): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (let sent = 0, start = performance.now(); !stopped; sent++) {
      const request = send().finally(() => underWay.delete(request));
      underWay.add(request);
      const dueMs = start + (sent + 1) * everyMs - performance.now();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs)));
    }
    await Promise.all(underWay);
  }
  const running = perSecond
    ? paced(1000 / perSecond)
    : Promise.all(Array.from({ length: lanes }, lane)).then(() => undefined);
  return {
    answered: () => answers.length + failures.length,
    async stop() {
      stopped = true;
      await running;
      return { answers, failures };
    },
  };
}
