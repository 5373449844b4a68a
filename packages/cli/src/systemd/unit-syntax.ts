// How text gets into a unit file as it is (systemd.syntax(7), systemd.service(5) "Command lines"): `%` begins a
// specifier, `$` a variable, white space ends a word, quotes and `\` mean themselves only when escaped.
import { InvalidArgumentError } from 'commander';

/** `%` and `$` mean themselves. What is already escaped may then be joined with specifiers and variables. */
export function literal(text: string): string {
  return withoutControls(text).replaceAll('%', '%%').replaceAll('$', '$$$$');
}

/** One word of a command line. @param escaped by `literal`, or our own specifiers and variables */
export function word(escaped: string): string {
  if (/^[^\s"'\\;]+$/.test(escaped)) return escaped;
  return `"${escaped.replace(/["\\]/g, '\\$&')}"`;
}

/** `Environment=` expands no variables. */
export function environmentLine(name: string, value: string): string {
  return `Environment=${word(`${name}=${withoutControls(value).replaceAll('%', '%%')}`)}`;
}

/** The value of a line that is no list of words: its end is the line's, unless that is a backslash. */
export function plainValue(text: string): string {
  return withoutControls(text).replaceAll('%', '%%').replace(/\\$/, '\\ ');
}

/** A line feed would begin another setting, whatever quotes it. */
function withoutControls(text: string): string {
  if (!/[\p{Cc}\u2028\u2029]/u.test(text) && text.isWellFormed()) return text;
  throw new InvalidArgumentError(`a unit file cannot hold control characters: ${JSON.stringify(text)}`);
}

/** Several words in lines of readable length, each but the last continued. */
export function commandLine(setting: string, words: readonly string[]): string {
  const lines: string[] = [];
  let line = setting;
  for (const [index, one] of words.entries()) {
    const joined = index === 0 ? `${line}${one}` : `${line} ${one}`;
    const breaks = index > 0 && joined.length > maxLineCharacters && one.startsWith('--');
    if (breaks) {
      lines.push(`${line} \\`);
      line = `    ${one}`;
    } else line = joined;
  }
  return [...lines, line].join('\n');
}

const maxLineCharacters = 110;
