// Where a reader of the history is: `epoch.revision`, or `epoch.revision.index` within a revision. Zod-free.
import { formatPosition, type Position, parsePosition } from './position.ts';

export interface HistoryCursor extends Position {
  /** Of the last entry that was read; undefined: after all changes of the revision, and before its notes. */
  readonly index: number | undefined;
}

export function formatCursor({ index, ...position }: HistoryCursor): string {
  return index === undefined ? formatPosition(position) : `${formatPosition(position)}.${index}`;
}

/** @returns undefined where `text` is no cursor: the caller answers with its own error */
export function parseCursor(text: string): HistoryCursor | undefined {
  const [, before = text, digits] = /^(.+\..+)\.(0|[1-9][0-9]{0,8})$/.exec(text) ?? [];
  const position = parsePosition(before);
  return position && { ...position, index: digits === undefined ? undefined : Number(digits) };
}
