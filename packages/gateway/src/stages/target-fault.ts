// What is matched and authorized must be exactly what is sent: a target that an upstream could
// resolve to another path than we did is refused, not repaired.

const slash = 0x2f;
const dot = 0x2e;
const percent = 0x25;
const question = 0x3f;
const hash = 0x23;
const backslash = 0x5c;

/**
 * @param hasNames encoded slashes and backslashes are characters of names
 * @returns what is wrong with a request target; `;` and `//` are ordinary (RFC 3986 §3.3)
 */
export function targetFault(target: string, hasNames = false): string | undefined {
  if (target.charCodeAt(0) !== slash) return 'the target must be a path (origin form)';
  let dots = 0; // characters of this segment that are dots, plain or encoded
  let others = 0;
  let at = 1;
  for (; at < target.length; at++) {
    const code = target.charCodeAt(at);
    if (code === question) break;
    if (code <= 0x20 || code >= 0x7f) return 'the path holds a control, space or non-ASCII byte';
    if (code === backslash || code === hash) return 'the path holds a backslash or #';
    if (code === slash) {
      if (isDotSegment(dots, others)) return 'the path holds a dot segment';
      dots = 0;
      others = 0;
      continue;
    }
    if (code !== percent) {
      if (code === dot) dots++;
      else others++;
      continue;
    }
    const octet = octetAt(target, at);
    if (octet === undefined) return 'the path holds a % without two hex digits';
    if (octet === 0 || (!hasNames && (octet === slash || octet === backslash))) {
      return 'the path holds an encoded slash, backslash or NUL';
    }
    if (octet === dot) dots++;
    else others++;
    at += 2;
  }
  if (isDotSegment(dots, others)) return 'the path holds a dot segment';
  return queryFault(target, at);
}

/** The query is matched by nobody here: it goes along as it is, if it is text that a head can hold. */
function queryFault(target: string, from: number): string | undefined {
  for (let at = from; at < target.length; at++) {
    const code = target.charCodeAt(at);
    if (code <= 0x20 || code >= 0x7f || code === hash)
      return 'the query holds a control, space, # or non-ASCII byte';
  }
  return undefined;
}

function isDotSegment(dots: number, others: number): boolean {
  return others === 0 && (dots === 1 || dots === 2);
}

function octetAt(target: string, at: number): number | undefined {
  const high = hexDigit(target.charCodeAt(at + 1));
  const low = hexDigit(target.charCodeAt(at + 2));
  return high === -1 || low === -1 ? undefined : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
