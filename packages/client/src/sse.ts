// Server-Sent Events, read as WHATWG HTML §9.2.6 says, from chunks cut anywhere.

export interface ServerEvent {
  readonly type: string;
  readonly data: string;
  /** The last `id` of the stream until now; `''` where there was none. */
  readonly id: string;
}

/** Longer than any change set: a stream without line ends must not fill the memory. */
const maxPendingCharacters = 16 * 1024 * 1024;

/** @returns a function that takes the next bytes and gives the events they complete. @throws over 16 MiB */
export function createEventReader(): (chunk: Uint8Array) => ServerEvent[] {
  const decoder = new TextDecoder(); // keeps a character cut in two, drops a BOM at the start
  let rest = '';
  let id = '';
  let type = '';
  let data: string[] = [];
  let pending = 0;
  let afterReturn = false;

  function take(line: string): ServerEvent | undefined {
    if (line === '') return dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined; // a comment: the connection lives
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'data') {
      data.push(value);
      pending += value.length + 1;
    } else if (field === 'event') type = value;
    else if (field === 'id' && !value.includes('\0')) id = value;
    return undefined;
  }

  function dispatch(): ServerEvent | undefined {
    const event = data.length > 0 ? { type: type || 'message', data: data.join('\n'), id } : undefined;
    type = '';
    data = [];
    pending = 0;
    return event;
  }

  return (chunk) => {
    const decoded = decoder.decode(chunk, { stream: true });
    if (decoded === '') return [];
    const text = afterReturn && decoded[0] === '\n' ? decoded.slice(1) : decoded; // a CRLF cut in two
    afterReturn = decoded.endsWith('\r');
    const [first = '', ...others] = text.split(/\r\n|\n|\r/);
    const lines = [rest + first, ...others];
    rest = lines.pop() ?? '';
    const events = lines.flatMap((line) => take(line) ?? []);
    if (rest.length + pending > maxPendingCharacters) throw new Error('an event of the stream has no end');
    return events;
  };
}
