// Columns as wide as their widest cell, two spaces between them.
import { printable } from './printable.ts';

/** One line per row; the first row is the head. A cell that is empty shows as `-`. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map((cell) => printable(cell) || '-'));
  const widths: number[] = [];
  for (const row of cells) {
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, columnsOf(cell));
  }
  return cells.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - columnsOf(cell)))
      .join('  ')
      .trimEnd(),
  );
}

const invisible = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** East Asian wide letters and emoji (Unicode UAX #11, the blocks that are in use). */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\p{Emoji_Presentation}\u{20000}-\u{3fffd}]/u;

/** How many columns a terminal gives to `text`, near enough for a table. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) {
    if (!invisible.test(character)) columns += wide.test(character) ? 2 : 1;
  }
  return columns;
}
