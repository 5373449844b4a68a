// A command line as a person writes it, in words: quotes and backslashes as in a shell, and nothing else of one.
import { InvalidArgumentError } from 'commander';

/**
 * @throws InvalidArgumentError for an open quote, and for what only a shell could do: the text would mean
 * something else than it says
 */
export function commandWords(text: string): string[] {
  const words: string[] = [];
  // A piece of a word: in single quotes, in double quotes, an escaped character, or plain ones.
  const piece = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)|(\s+)|(.)/gsu;
  let word: string | undefined;
  for (const [, single, double, escaped, plain, space, stray] of text.matchAll(piece)) {
    if (stray !== undefined) throw new InvalidArgumentError(`--exec: a ${stray} is left open in: ${text}`);
    if (space !== undefined) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    if (plain !== undefined) refuseShell(plain);
    word = (word ?? '') + (single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? plain ?? '');
  }
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw new InvalidArgumentError('--exec must name a program');
  return words;
}

function refuseShell(plain: string): void {
  const found = /&&|\|\|?|[<>`]|;|&$|\$\(/.exec(plain)?.[0];
  if (found === undefined) return;
  throw new InvalidArgumentError(
    `--exec runs no shell, so ${found} would be an argument: quote it, or say sh -c '…'`,
  );
}
