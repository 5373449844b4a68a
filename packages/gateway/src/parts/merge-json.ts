// Pure: JSON texts in, one JSON object's text out. Values go through as they were written, since reading
// and writing them again would change what JavaScript's numbers cannot hold (an id above 2^53).

export interface PartText {
  /** The name under which all of it stands; undefined: its members are merged in. */
  readonly as: string | undefined;
  /** JSON; an object, where it has no name. */
  readonly text: string;
}

/** In their order, later keys winning. `__proto__` is a key like others: nothing is assigned to an object. */
export function mergeJson(parts: readonly PartText[]): string {
  const merged = new Map<string, string>();
  for (const { as, text } of parts) {
    if (as === undefined) addMembers(merged, text);
    else merged.set(as, text.trim());
  }
  return `{${Array.from(merged, ([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

/** @param text of an object, known to be JSON: so only brackets, commas, colons and strings matter */
function addMembers(merged: Map<string, string>, text: string): void {
  let depth = 0;
  let name: string | undefined;
  let from = text.indexOf('{') + 1;
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') depth++;
    else if (depth > 0) depth -= Number(character === '}' || character === ']');
    else if (character === ':') {
      name = JSON.parse(text.slice(from, at));
      from = at + 1;
    } else if (character === ',' || character === '}') {
      if (name !== undefined) merged.set(name, text.slice(from, at).trim());
      from = at + 1;
    }
  }
}

/** @returns where its closing quote is */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
