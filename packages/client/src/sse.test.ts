import { expect, test } from 'vitest';
import { seededRandom, seedsUpTo } from '../../../tests/support/random.ts';
import { createEventReader, type ServerEvent } from './sse.ts';

function read(...chunks: (string | Uint8Array)[]): ServerEvent[] {
  const reader = createEventReader();
  return chunks.flatMap((chunk) =>
    reader(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk),
  );
}

const message = (data: string, id = '', type = 'message') => ({ type, data, id });

// The examples of WHATWG HTML §9.2.6, and the edges of its grammar.
test.each<[string, string, ServerEvent[]]>([
  ['several lines of data', 'data: YHOO\ndata: +2\ndata: 10\n\n', [message('YHOO\n+2\n10')]],
  ['data without a value', 'data\n\ndata\ndata\n\ndata:', [message(''), message('\n')]],
  [
    'one space after the colon is dropped',
    'data:test\n\ndata: test\n\ndata:  x\n\n',
    [message('test'), message('test'), message(' x')],
  ],
  ['comments and unknown fields are nothing', ': hi\nretry: 5\nfoo: x\ndata: y\n\n', [message('y')]],
  ['an event without data is none, its id counts', 'id: 7\n\ndata: x\n\n', [message('x', '7')]],
  [
    'an id stays, and may be emptied',
    'id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n',
    [message('a', '7'), message('b', '7'), message('c')],
  ],
  [
    'an id with NUL is ignored',
    'id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n',
    [message('a', '1'), message('b', '1')],
  ],
  [
    'a type holds for one event',
    'event: change\ndata: a\n\ndata: b\n\n',
    [message('a', '', 'change'), message('b')],
  ],
  ['a type without data is forgotten', 'event: change\n\ndata: b\n\n', [message('b')]],
  ['a byte order mark is dropped', '\ufeffdata: a\n\n', [message('a')]],
  ['what is not ended is not there', 'data: a\n\ndata: b\n', [message('a')]],
])('%s', (_, stream, events) => {
  expect(read(stream)).toEqual(events);
});

/** Any line end after each line; but LF alone after CR and an empty line would end one line, not two. */
function withLineEnds(lines: readonly string[], random: () => number): string {
  let text = '';
  for (const line of lines) {
    const ends = line === '' && text.endsWith('\r') ? ['\r\n', '\r'] : ['\r\n', '\r', '\n'];
    text += line + ends[Math.floor(random() * ends.length)];
  }
  return text;
}

test('wherever the chunks are cut and whichever line ends are used, the events are the same', () => {
  const lines = [
    'data: {"name":"Überblick €𝄞"}',
    'event: change',
    'id: e1.12',
    ': keep-alive',
    '',
    '',
    'data',
    'x:',
  ];
  for (const seed of seedsUpTo(500)) {
    const random = seededRandom(seed);
    const picked = Array.from({ length: 40 }, () => lines[Math.floor(random() * lines.length)] ?? '');
    const expected = read(picked.map((line) => `${line}\n`).join(''));
    const bytes = new TextEncoder().encode(withLineEnds(picked, random));
    const chunks: Uint8Array[] = [];
    for (let from = 0; from < bytes.length; ) {
      const to = from + Math.floor(random() * 5); // empty chunks too
      chunks.push(bytes.subarray(from, to));
      from = to;
    }
    expect(read(...chunks), `seed ${seed}`).toEqual(expected);
  }
});

test('a stream without an end of line is given up, not kept', () => {
  const reader = createEventReader();
  const chunk = new Uint8Array(1024 * 1024).fill(97);
  expect(() => {
    for (let sent = 0; sent < 32; sent++) reader(chunk);
  }).toThrow('no end');
});
