// What was done and what came of it, to be told where something is wrong afterwards.
export interface Logbook {
  note(text: string): void;
  /** What befell everybody. */
  fault(text: string): void;
  /** All faults, and what was noted of the instances and services that these texts name. */
  about(texts: readonly string[]): string;
}

interface Line {
  readonly at: string;
  readonly text: string;
  readonly isFault: boolean;
}

const linesTold = 300;
const names = /\b(?:service-\d+|contested)\/\w+|\bby-hand-\d+|\bmoved-\d+/g;

export function createLogbook(): Logbook {
  const lines: Line[] = [];
  const add = (text: string, isFault: boolean) => {
    lines.push({ at: new Date().toISOString().slice(14, 23), text, isFault });
  };
  return {
    note: (text) => add(text, false),
    fault: (text) => add(text, true),
    about(texts) {
      const named = new Set(texts.flatMap((text) => text.match(names) ?? []));
      return lines
        .filter(({ text, isFault }) => isFault || [...named].some((name) => text.startsWith(name)))
        .slice(-linesTold)
        .map(({ at, text }) => `${at} ${text}`)
        .join('\n');
    },
  };
}
