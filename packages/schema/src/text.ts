// The rules for free text: what people read (names, roles, tags), and any other. It comes back as it went in.
import * as z from 'zod';

/** Control characters and line or paragraph separators: they break logs, headers and tables. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the purpose
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/u;

/** Well-formed Unicode: half of a surrogate pair has no UTF-8, so some readers would see another text than others. */
export function anyText(maxLength: number) {
  return z
    .string()
    .max(maxLength, `must have at most ${maxLength} characters`)
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode (it holds a lone surrogate)');
}

/**
 * Well-formed Unicode without control characters, trimmed, of 1 to `maxLength` UTF-16 units.
 * Guards logs, headers and tables. Does NOT guard against look-alike letters: `slug` does, in part.
 */
export function text(maxLength: number) {
  return anyText(maxLength)
    .min(1, 'must not be empty')
    .refine((value) => !unprintable.test(value), 'must not hold control characters or line separators')
    .refine((value) => value.trim() === value, 'must not begin or end with white space');
}
