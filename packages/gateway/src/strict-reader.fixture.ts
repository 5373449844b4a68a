// For tests: the strictest reader of HTTP/1.1. What it takes has one reading only, so whatever leaves the
// gateway must pass it, whatever came in.

export interface Messages {
  /** Each whole message as it stands. */
  readonly messages: readonly string[];
  /** Behind the last whole one: a message that is not whole yet. */
  readonly rest: string;
  /** Why `rest` can be no message, if it can not. */
  readonly fault: string | undefined;
}

const requestLine = /^[A-Z-]+ \/[\x21-\x7e]* HTTP\/1\.1$/;
const statusLine = /^HTTP\/1\.1 [1-5]\d\d [\t\x20-\x7e\x80-\xff]*$/;
const fieldLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\t\x20-\x7e\x80-\xff]*)$/;

export function readMessages(bytes: string, kind: 'request' | 'answer'): Messages {
  const messages: string[] = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) return { messages, rest, fault: undefined };
    const [start = '', ...lines] = rest.slice(0, end).split('\r\n');
    const fault = headFault(start, lines, kind);
    if (fault !== undefined) return { messages, rest, fault };
    const body = bodyLength(rest.slice(end + 4), start, lines, kind);
    if (typeof body === 'string') return { messages, rest, fault: body };
    if (body === undefined) return { messages, rest, fault: undefined };
    messages.push(rest.slice(0, end + 4 + body));
    rest = rest.slice(end + 4 + body);
  }
}

function headFault(start: string, lines: readonly string[], kind: 'request' | 'answer'): string | undefined {
  if (!(kind === 'request' ? requestLine : statusLine).test(start))
    return `first line ${JSON.stringify(start)}`;
  const odd = lines.find((line) => !fieldLine.test(line));
  if (odd !== undefined) return `field ${JSON.stringify(odd)}`;
  const hosts = valuesOf(lines, 'host');
  if (kind === 'request' && hosts.length !== 1) return `${hosts.length} Host fields`;
  const lengths = valuesOf(lines, 'content-length');
  const codings = valuesOf(lines, 'transfer-encoding');
  if (lengths.length + codings.length > 1) return 'more than one framing';
  if (lengths.some((length) => !/^(0|[1-9]\d*)$/.test(length))) return `Content-Length ${lengths[0]}`;
  if (codings.some((coding) => coding !== 'chunked')) return `Transfer-Encoding ${codings[0]}`;
  return undefined;
}

/** @returns bytes, undefined where it is not whole yet, or what is wrong with it */
function bodyLength(
  rest: string,
  start: string,
  lines: readonly string[],
  kind: 'request' | 'answer',
): number | undefined | string {
  if (kind === 'answer' && /^HTTP\/1\.1 (1|204|304)/.test(start)) return 0;
  const [length] = valuesOf(lines, 'content-length');
  if (length !== undefined) return rest.length >= Number(length) ? Number(length) : undefined;
  if (valuesOf(lines, 'transfer-encoding').length > 0) return chunkedLength(rest);
  return kind === 'request' ? 0 : 'no end but that of the connection';
}

function chunkedLength(rest: string): number | undefined | string {
  let at = 0;
  for (;;) {
    const end = rest.indexOf('\r\n', at);
    if (end === -1) return undefined;
    const size = rest.slice(at, end);
    if (!/^(0|[1-9a-f][0-9a-f]{0,7})$/.test(size)) return `chunk size ${JSON.stringify(size)}`;
    at = end + 2;
    if (size === '0') return trailersEnd(rest, at);
    at += Number.parseInt(size, 16);
    if (rest.length < at + 2) return undefined;
    if (rest.slice(at, at + 2) !== '\r\n') return 'no CRLF behind a chunk';
    at += 2;
  }
}

function trailersEnd(rest: string, from: number): number | undefined | string {
  for (let at = from; ; ) {
    const end = rest.indexOf('\r\n', at);
    if (end === -1) return undefined;
    if (end === at) return end + 2;
    if (!fieldLine.test(rest.slice(at, end))) return `trailer ${JSON.stringify(rest.slice(at, end))}`;
    at = end + 2;
  }
}

function valuesOf(lines: readonly string[], name: string): string[] {
  return lines.flatMap((line) => {
    const [, field = '', value = ''] = fieldLine.exec(line) ?? [];
    return field.toLowerCase() === name ? [value] : [];
  });
}
