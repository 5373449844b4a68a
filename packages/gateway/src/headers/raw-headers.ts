/**
 * Header fields as they came: name, value, name, value …, in order, case kept. What was sent twice is
 * here twice: node's `headers` object joins some fields and hides others (a second `Authorization`).
 */
export type RawHeaders = readonly string[];

const none: readonly string[] = [];

/**
 * Every value of one field, in order. Bytes above 127 are latin1 characters, as node's parser gives them.
 * @param lowerName in lower case
 */
export function headerValues(headers: RawHeaders, lowerName: string): readonly string[] {
  let values: string[] | undefined;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? '';
    if (name.length !== lowerName.length) continue; // most names end here: nothing is lower-cased for them
    if (name !== lowerName && name.toLowerCase() !== lowerName) continue;
    const value = headers[at + 1] ?? '';
    if (values) values.push(value);
    else values = [value];
  }
  return values ?? none;
}
