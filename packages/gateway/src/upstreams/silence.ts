// Answers that stand still are broken off. One timer looks after all of them: undici's own would be one more for
// every request, thrown away a millisecond later.

export interface Answering {
  /** How long nothing of it may come. */
  readonly idleMs: number;
  /** Something of it came last after so many looks. */
  heardAt: number;
  /** Its reader asked for no more at the moment. */
  isPaused: boolean;
  standsStill(): void;
}

const lookEveryMs = 250;
const answering = new Set<Answering>();
let timer: NodeJS.Timeout | undefined;
let looks = 0;

/** A clock of its own, cheaper than any other for whoever is heard all the time. */
export const looksSoFar = () => looks;

export function watchSilence(answer: Answering): void {
  answer.heardAt = looks;
  answering.add(answer);
  timer ??= setInterval(look, lookEveryMs).unref();
}

export function unwatchSilence(answer: Answering): void {
  answering.delete(answer);
}

function look(): void {
  looks += 1;
  for (const answer of answering) {
    if (answer.isPaused) answer.heardAt = looks;
    else if ((looks - answer.heardAt) * lookEveryMs > answer.idleMs) answer.standsStill();
  }
  if (answering.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
