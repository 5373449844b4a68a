// A line of the log for each document that is left alone, and few where somebody inserts very many.
import type { Clock } from '@reg/registry';
import type { InvalidDocument } from './invalid-documents.ts';

export interface InvalidLinesOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly log: (line: string) => void;
}

const minuteMs = 60_000;
const linesPerMinute = 20;

/** @returns logs these */
export function createInvalidLines({ clock, log }: InvalidLinesOptions) {
  let begunAt = Number.NEGATIVE_INFINITY;
  let lines = 0;
  return (documents: readonly InvalidDocument[]): void => {
    if (documents.length === 0) return;
    if (clock.now() - begunAt >= minuteMs) {
      begunAt = clock.now();
      lines = 0;
    }
    for (const document of documents) {
      lines += 1;
      if (lines <= linesPerMinute) log(lineOf(document));
    }
    if (lines > linesPerMinute && lines - documents.length <= linesPerMinute)
      log('more documents are left alone: reg services --invalid and reg verify say which');
  };
}

function lineOf({ id, path, message }: InvalidDocument): string {
  return `the document ${id} is left alone: ${path === '' ? '' : `${path}: `}${message}`;
}
