// Whatever comes from the registry was chosen by some service: on a terminal it must be text and no command.

/**
 * Controls (C0, DEL, C1), line separators, lone surrogates, and what turns the direction of the text
 * around (Unicode UAX #9: it makes a line read other than it is).
 */
const unprintable = /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu;

/** `\x1b` becomes the six characters `\u001b`, as in JSON. */
export function printable(text: string): string {
  return text.replace(
    unprintable,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** JSON of one line that holds no raw control character; it parses to the same value. */
export function printableJson(value: unknown): string {
  return printable(JSON.stringify(value));
}
