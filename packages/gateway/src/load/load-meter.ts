// What one service has to do, as this gateway sees it: requests under way, and of the last seconds how many there
// were, how long they took and how many were refused. A ring of seconds; counting allocates nothing.
import type { LoadFigures } from '@reg/schema';
import { bucketCount, bucketOf, quantileMs } from './histogram.ts';

/** Rates and the p99 are of so many whole seconds. */
export const secondsKept = 5;

export class LoadMeter {
  /** Sent to an instance, or looking for one, and not over yet. */
  #inFlight = 0;
  /** A histogram for each second. */
  readonly #answers = new Uint32Array(secondsKept * bucketCount);
  readonly #requests = new Uint32Array(secondsKept);
  readonly #refusals = new Uint32Array(secondsKept);
  readonly #sum = new Uint32Array(bucketCount);
  #second = 0;

  began(): void {
    this.#inFlight++;
    this.#requests[this.#second] = (this.#requests[this.#second] ?? 0) + 1;
  }

  /** Its head is there. @param ms since the request began */
  answered(ms: number): void {
    const at = this.#second * bucketCount + bucketOf(ms);
    this.#answers[at] = (this.#answers[at] ?? 0) + 1;
  }

  /** There was no instance, or none that answered in time. */
  refused(): void {
    this.#refusals[this.#second] = (this.#refusals[this.#second] ?? 0) + 1;
  }

  ended(): void {
    this.#inFlight--;
  }

  /** Once a second, before the figures are read. */
  tick(): void {
    this.#second = (this.#second + 1) % secondsKept;
    this.#answers.fill(0, this.#second * bucketCount, (this.#second + 1) * bucketCount);
    this.#requests[this.#second] = 0;
    this.#refusals[this.#second] = 0;
  }

  /** Nothing of the last seconds, and nothing under way. */
  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#requests.every((count) => count === 0);
  }

  /** After a tick the present second has just begun: it counts for nothing yet. */
  figures(): LoadFigures {
    this.#sum.fill(0);
    for (const [at, count] of this.#answers.entries()) {
      const bucket = at % bucketCount;
      this.#sum[bucket] = (this.#sum[bucket] ?? 0) + count;
    }
    return {
      inFlight: this.#inFlight,
      p99Ms: quantileMs(this.#sum, 0.99),
      refusalsPerSecond: perSecond(this.#refusals),
      requestsPerSecond: perSecond(this.#requests),
    };
  }
}

function perSecond(counts: Uint32Array): number {
  return counts.reduce((sum, count) => sum + count, 0) / (secondsKept - 1);
}
