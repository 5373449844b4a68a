// Requests that this process is answering, so that leaving can wait for them.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';

interface Answering {
  once(event: 'close', listener: () => void): unknown;
}

type OnRequest = (request: unknown, response: Answering) => void;

/** What we use of `http.Server` (https and http2 servers have it too). */
export interface RequestSource {
  on(event: 'request', listener: OnRequest): unknown;
  off(event: 'request', listener: OnRequest): unknown;
}

/** A request that a gateway sent just before it heard of the drain may still be on the wire. */
export const quietMs = 50;
const lookAgainMs = 10;

export interface RequestCount {
  /** Waits until nothing was in flight for 50 ms, `withinMs` is over, or `signal` aborts. @returns what is still in flight */
  idle(withinMs: number, signal: AbortSignal): Promise<number>;
  stop(): void;
}

/** @param source only this server's requests; left out, those of every `node:http` server of the process */
export function countRequests(source?: RequestSource): RequestCount {
  let inFlight = 0;
  const count = (response: Answering) => {
    inFlight += 1;
    response.once('close', () => (inFlight -= 1)); // answered, or its client went away
  };
  const onRequest: OnRequest = (_request, response) => count(response);
  const onStart = (message: unknown) => count((message as { response: Answering }).response);
  if (source) source.on('request', onRequest);
  else subscribe('http.server.request.start', onStart);

  return {
    async idle(withinMs, signal) {
      const end = performance.now() + withinMs;
      let quietSince = performance.now();
      for (;;) {
        const now = performance.now();
        if (inFlight > 0) quietSince = now;
        if (now - quietSince >= quietMs || now >= end || signal.aborted) return inFlight;
        await sleep(lookAgainMs);
      }
    },
    stop() {
      if (source) source.off('request', onRequest);
      else unsubscribe('http.server.request.start', onStart);
    },
  };
}
