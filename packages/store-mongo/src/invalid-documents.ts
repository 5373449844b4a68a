// Documents that are left alone, and why. All are counted; so many are kept with their reason that a person can
// work through them, and no text of a stranger is kept whole.
import type { DocumentFault } from './instance-document.ts';

/** A document that is in the collection, and in no listing or not as it says. */
export interface InvalidDocument extends DocumentFault {
  /** Its `_id`, as text; `definitions/NAME` where it is that of a definition. */
  readonly id: string;
}

export interface InvalidDocuments {
  report(id: string, fault: DocumentFault): void;
  forget(id: string): void;
  clear(): void;
  readonly size: number;
  list(): readonly InvalidDocument[];
}

const keptAtMost = 1_000;
const textAtMost = 200;

export function createInvalidDocuments(): InvalidDocuments {
  const kept = new Map<string, InvalidDocument>();
  const counted = new Set<string>();
  return {
    report(id, { path, message }) {
      counted.add(id);
      if (kept.size >= keptAtMost && !kept.has(id)) return;
      kept.set(id, { id: shown(id), path: shown(path), message: shown(message) });
    },
    forget(id) {
      counted.delete(id);
      kept.delete(id);
    },
    clear() {
      counted.clear();
      kept.clear();
    },
    get size() {
      return counted.size;
    },
    list: () => [...kept.values()],
  };
}

/** One line, of a length that a log bears. */
function shown(text: string): string {
  const line = text.replace(/\p{Cc}/gu, '\u{fffd}');
  return line.length <= textAtMost ? line : `${line.slice(0, textAtMost)}…`;
}
