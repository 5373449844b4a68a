// For tests: the request and answer cases of public suites, sent byte for byte through a gateway, and what the
// other side saw of them.
import { readFileSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { eventually } from '../../../tests/support/eventually.ts';
import { sharedFolder } from '../../../tests/support/part.ts';
import { startGateway, startRawUpstream } from './gateway.fixture.ts';
import { readMessages } from './strict-reader.fixture.ts';

export interface Case {
  readonly id: string;
  readonly bytes: Buffer;
  /** Its suite leaves no choice. */
  readonly mustRefuse: boolean;
}

interface LlhttpCase {
  readonly file: string;
  readonly name: string;
  readonly meta: { readonly type?: string };
  readonly raw: string;
  readonly error: string | null;
}

interface ProbeCase {
  readonly id: string;
  readonly machine: boolean;
  readonly raw: string;
  readonly expected: string;
}

const read = <Item>(path: string): Item[] =>
  JSON.parse(readFileSync(`${sharedFolder}corpora/${path}`, 'utf8'));

/** llhttp's cases say what its parser does under flags; without the flags they are hostile input, too. */
export function llhttpCases(kind: 'request' | 'response'): Case[] {
  const seen = new Map<string, number>();
  return read<LlhttpCase>('llhttp/cases.json')
    .filter(({ meta }) => meta.type?.startsWith(kind))
    .map(({ file, name, meta, raw, error }) => {
      const plain = `llhttp ${file.replace(/^.*\//, '').replace('.md', '')}: ${name} (${meta.type})`;
      const times = (seen.get(plain) ?? 0) + 1;
      seen.set(plain, times);
      const id = times === 1 ? plain : `${plain} ${times}`;
      // An upgrade is the caller's to take or not, and what comes behind a last message is dropped.
      const mustRefuse = meta.type === kind && error !== null && !/^(Pause|Data after)/.test(error);
      return { id, bytes: Buffer.from(raw, 'base64'), mustRefuse };
    });
}

/** Most of llhttp's requests have no Host, and would say no more than that: the same with one. */
export function withHost({ id, bytes, mustRefuse }: Case): Case | undefined {
  const text = bytes.toString('latin1');
  const end = text.indexOf('\r\n', 2);
  if (end === -1 || /^host:/im.test(text)) return undefined;
  const head = `${text.slice(0, end)}\r\nHost: x${text.slice(end)}`;
  return { id: `${id} + Host`, bytes: Buffer.from(head, 'latin1'), mustRefuse };
}

/** Those that are bytes; the others are descriptions ("a header of 64 KiB"), and have tests of their own. */
export function probeCases(): Case[] {
  return read<ProbeCase>('http11probe/cases.json')
    .filter(({ machine }) => machine)
    .map(({ id, raw, expected }) => ({
      id,
      bytes: Buffer.from(raw, 'base64'),
      mustRefuse: /400|close|501/.test(expected) && !/2xx|200|warn|timeout|pass-through/i.test(expected),
    }));
}

export interface Outcome {
  readonly id: string;
  readonly mustRefuse: boolean;
  /** What each connection to the upstream got, without what the gateway adds. */
  readonly forwarded: readonly string[];
  /** What the client got. */
  readonly answered: string;
  /** Whether the gateway ended the connection. */
  readonly closed: boolean;
}

/** @param answer instead of a plain 200 to each request: the bytes, after which the upstream ends or waits */
export async function runCases(
  cases: readonly Case[],
  send: (one: Case) => { readonly request: Buffer; readonly answer?: Buffer | undefined },
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const left = [...cases];
  const lanes = Array.from({ length: 16 }, async () => {
    for (let one = left.shift(); one; one = left.shift()) {
      const { request, answer } = send(one);
      outcomes.push({ ...one, ...(await runCase(request, answer)) });
    }
  });
  await Promise.all(lanes);
  return outcomes.sort((one, other) => (one.id < other.id ? -1 : 1));
}

async function runCase(
  request: Buffer,
  answer: Buffer | undefined,
): Promise<Omit<Outcome, 'id' | 'mustRefuse'>> {
  const received = new Map<Socket, string>();
  await using upstream = await startRawUpstream((socket, chunk) => {
    const all = (received.get(socket) ?? '') + chunk;
    received.set(socket, all);
    const { messages } = readMessages(all, 'request');
    const answered = before.get(socket) ?? 0;
    before.set(socket, messages.length);
    for (let at = answered; at < messages.length; at++) {
      socket.write(answer ?? 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    }
  });
  const before = new WeakMap<Socket, number>();
  await using one = await startGateway();
  one.catalog.add({ name: 'root', url: '/' }, { endpoints: [upstream.url] });
  await one.follows();
  const client = net.connect(one.port, '127.0.0.1');
  let answered = '';
  let closed = false;
  client.on('error', () => undefined);
  client.on('data', (chunk) => {
    answered += chunk.toString('latin1');
  });
  client.on('close', () => {
    closed = true;
  });
  client.write(request);
  const seen = () => [answered, closed, ...received.values()].join();
  let last = '';
  let same = 0;
  await eventually(seen, (now) => {
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= 8 && (closed || client.bytesWritten > 0);
  });
  if (answer) for (const socket of upstream.sockets) socket.end(); // some answers end with their connection
  if (answer) await eventually(() => closed || endsWhole(answered));
  const wasClosed = closed;
  client.destroy();
  return {
    forwarded: [...received.values()].map((bytes) => withoutOurs(bytes)).sort(),
    answered,
    closed: wasClosed,
  };
}

function endsWhole(answered: string): boolean {
  const { messages, rest, fault } = readMessages(answered, 'answer');
  return messages.length > 0 && rest === '' && fault === undefined;
}

/** Also what differs from run to run: ports, ids, dates. */
export function withoutOurs(bytes: string): string {
  return bytes
    .replace(/^(x-forwarded-\w+|forwarded|x-request-id|date|keep-alive): .*\r\n/gim, '')
    .replace(/127\.0\.0\.1:\d+/g, 'upstream')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'uuid');
}
