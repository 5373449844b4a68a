// Documents that are left alone, and why. All are counted; so many are kept with their reason that a person can
// work through them, and no text of a stranger is kept whole.
import { isDeepStrictEqual } from 'node:util';
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
  /** Of those that are kept: who is new, or reported otherwise, since this was last asked. */
  takeNews(): readonly InvalidDocument[];
}

const noNews: readonly InvalidDocument[] = []; // what every change but very few has
const keptAtMost = 1_000;
const textAtMost = 200;

export function createInvalidDocuments(): InvalidDocuments {
  const kept = new Map<string, InvalidDocument>();
  const counted = new Set<string>();
  /** Reported or forgotten since the last time; many are both, and are as they were. */
  const touched = new Set<string>();
  const told = new Map<string, InvalidDocument>();
  return {
    report(id, { path, message }) {
      counted.add(id);
      if (kept.size >= keptAtMost && !kept.has(id)) return;
      touched.add(id);
      kept.set(id, { id: shown(id), path: shown(path), message: shown(message) });
    },
    forget(id) {
      counted.delete(id);
      if (kept.delete(id)) touched.add(id);
    },
    clear() {
      counted.clear();
      for (const id of kept.keys()) touched.add(id);
      kept.clear();
    },
    get size() {
      return counted.size;
    },
    list: () => [...kept.values()],
    takeNews() {
      if (touched.size === 0) return noNews;
      const news: InvalidDocument[] = [];
      for (const id of touched) {
        const document = kept.get(id);
        if (document === undefined) told.delete(id);
        else if (!isDeepStrictEqual(document, told.get(id))) {
          told.set(id, document);
          news.push(document);
        }
      }
      touched.clear();
      return news;
    },
  };
}

/** One line, of a length that a log bears. */
function shown(text: string): string {
  const line = text.replace(/\p{Cc}/gu, '\u{fffd}');
  return line.length <= textAtMost ? line : `${line.slice(0, textAtMost)}…`;
}
