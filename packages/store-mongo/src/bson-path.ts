// Single values out of a BSON document, without reading the rest of it: https://bsonspec.org/spec.html
// What it does not know it does not find; whoever needs it then reads the whole document with the library.

const type = { string: 2, document: 3, timestamp: 17, long: 18 } as const;
/** How many bytes a value has, by its type, beside those that its own length says. */
const fixedSizes = new Map([
  [1, 8],
  [2, 4],
  [3, 0],
  [4, 0],
  [5, 5],
  [6, 0],
  [7, 12],
  [8, 1],
  [9, 8],
  [10, 0],
  [16, 4],
  [17, 8],
  [18, 8],
  [19, 16],
]);
const withLength = new Set([2, 3, 4, 5]);

/** @returns where in `bytes` the value of this type begins; undefined where there is none at the path */
function find(bytes: Buffer, path: readonly string[], wanted: number): number | undefined {
  const last = path.length - 1;
  let at: number | undefined = 0;
  for (let depth = 0; depth <= last && at !== undefined; depth++) {
    at = findIn(bytes, at, path[depth] as string, depth === last ? wanted : type.document);
  }
  return at;
}

function findIn(bytes: Buffer, document: number, name: string, wanted: number): number | undefined {
  let at = document + 4;
  for (let kind = bytes[at]; kind; kind = bytes[at]) {
    const value = bytes.indexOf(0, at + 1) + 1;
    if (isName(bytes, at + 1, value - 1, name)) return kind === wanted ? value : undefined;
    const fixed = fixedSizes.get(kind);
    const length = withLength.has(kind) ? bytes.readInt32LE(value) : 0;
    if (fixed === undefined || length < 0 || value <= at) return undefined;
    at = value + fixed + length;
  }
  return undefined;
}

function isName(bytes: Buffer, start: number, end: number, name: string): boolean {
  if (end - start !== name.length) return false;
  for (let index = 0; index < name.length; index++) {
    if (bytes[start + index] !== name.charCodeAt(index)) return false;
  }
  return true;
}

/** @param path names of ASCII letters. @throws RangeError where the document is cut off */
export function textAt(bytes: Buffer, ...path: readonly string[]): string | undefined {
  const at = find(bytes, path, type.string);
  return at === undefined ? undefined : bytes.toString('utf8', at + 4, at + 3 + bytes.readInt32LE(at));
}

/** @returns seconds since 1970 (`high`), and which one within the second (`low`) */
export function timestampAt(
  bytes: Buffer,
  ...path: readonly string[]
): { high: number; low: number } | undefined {
  const at = find(bytes, path, type.timestamp);
  return at === undefined ? undefined : { high: bytes.readUInt32LE(at + 4), low: bytes.readUInt32LE(at) };
}

/** A number of 64 bits is there. */
export function hasLong(bytes: Buffer, ...path: readonly string[]): boolean {
  return find(bytes, path, type.long) !== undefined;
}
