// Requests under way while something else happens: every answer is counted, none is repeated.
interface Answer {
  readonly status: number;
  /** Who answered, as tickets says in `X-Served-By`. */
  readonly servedBy: string | null;
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

/** GETs one after the other on `lanes` lanes until stopped; with `perSecond`, spread evenly at that rate. */
export function startLoad(
  url: string,
  { authorization, lanes = 8, perSecond }: { authorization: string; lanes?: number; perSecond?: number },
): RunningLoad {
  const answers: Answer[] = [];
  const failures: string[] = [];
  let stopped = false;

  async function send(): Promise<void> {
    try {
      const response = await fetch(url, { headers: { authorization } });
      const body = await response.text();
      answers.push({ status: response.status, servedBy: response.headers.get('x-served-by') });
      if (response.status !== 200) failures.push(`${response.status} ${body}`);
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
