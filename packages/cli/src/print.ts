import { printable, printableJson } from './printable.ts';

/** One line on stdout; what is unprintable in it is escaped. */
export function printLine(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

/** One line of JSON on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${printableJson(value)}\n`);
}

/** What is told beside the result, on stderr: it never mixes with what a program reads. */
export function note(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}
