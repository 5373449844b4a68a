// Rules about tokens, fields and paths, from the client's socket to the upstream's.
import { describe, expect, test } from 'vitest';
import { seededRandom, seeds } from '../../../tests/support/random.ts';
import { count } from '../../../tests/support/size.ts';
import {
  deadPort,
  rawRequest,
  startGateway,
  startRawUpstream,
  startUpstream,
  tokenOf,
} from './gateway.fixture.ts';

const ask = (target: string, ...lines: string[]) =>
  `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;

/** The heads that it got, as bytes. */
async function startRecorder(heads: string[]) {
  return startRawUpstream((socket, received) => {
    heads.push(received);
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
}

describe('tokens', () => {
  test('of 64 KiB never reach the verifier; those that fit into a head are read and refused', async () => {
    const heads: string[] = [];
    await using upstream = await startRecorder(heads);
    await using one = await startGateway();
    one.catalog.add({ url: '/x', access: 'token' }, { endpoints: [upstream.url] });
    await one.follows();
    const codeOf = async (token: string) => {
      const { status, body } = await rawRequest(one.port, ask('/x', `Authorization: Bearer ${token}`));
      return [status, JSON.parse(body).code];
    };
    expect(await codeOf('a'.repeat(64 * 1024))).toEqual([431, 'head_too_large']);
    expect(await codeOf('.'.repeat(15_000))).toEqual([401, 'token_invalid']);
    expect(await codeOf(`${'e'.repeat(7_000)}.${'e'.repeat(7_000)}.e`)).toEqual([401, 'token_invalid']);
    expect([heads, one.errors]).toEqual([[], []]);
  });

  test('nominated by Connection, a token still says who asks, and stays here', async () => {
    const heads: string[] = [];
    await using upstream = await startRecorder(heads);
    await using one = await startGateway();
    one.catalog.add({ url: '/x', access: 'token', authorizedRoles: ['a'] }, { endpoints: [upstream.url] });
    await one.follows();
    const lines = [
      `Authorization: Bearer ${tokenOf('ann', ['a'])}`,
      'Connection: authorization, x-reg-subject, x-forwarded-for, host, x-request-id',
      'X-Reg-Subject: root',
      'x_reg_roles: admin',
    ];
    expect((await rawRequest(one.port, ask('/x', ...lines))).status).toBe(200);
    expect(heads[0]).not.toMatch(/^authorization:|root|admin/im);
    expect(heads[0]).toMatch(/^X-Reg-Subject: ann\r$/m);
    expect(heads[0]).toMatch(/^X-Reg-Roles: a\r$/m);
    expect(heads[0]).toMatch(/^X-Forwarded-For: 127\.0\.0\.1\r$/m);
    expect(heads[0]).toMatch(/^host: 127\.0\.0\.1:\d+\r$/m);
  });
});

/** What a path may be made of to pass for another. */
const separators = ['/', '/', '/', '/', '//', '\\', '%2f', '%5C', ';', '?', '#'];
const segments = [
  ...['..', '.', '...', '%2e', '%2E%2e', '.%2e', '..;', '%252e', '', 'open', 'secret', 'secret/a', 'a', '~'],
  ...[';x=y', '%3b', '%00', '%', '%4', '@x', ':80', '%0d%0a', '*', '\t', '&'],
];

test.each(seeds([20_261_124]))(
  'seed %i: a path reaches the service that it names, as it was sent, and no other reading leads elsewhere',
  async (seed) => {
    const random = seededRandom(seed);
    const pick = (all: readonly string[]) => all[Math.floor(random() * all.length)] ?? '';
    const piece = () => pick(separators) + pick(segments);
    const seen: string[] = [];
    await using open = await startUpstream((request, response) => {
      seen.push(request.url ?? '');
      response.end();
    });
    await using secret = await startUpstream((_request, response) => void response.end('secret'));
    await using one = await startGateway();
    one.catalog.add({ url: '/open' }, { id: 'open', endpoints: [`${open.url}/api`] });
    one.catalog.add({ url: '/secret', access: 'token' }, { id: 'secret', endpoints: [secret.url] });
    await one.follows();
    let taken = 0;
    for (let round = count({ reduced: 300, whole: 5_000 }); round > 0; round--) {
      const target = `/open${Array.from({ length: 1 + Math.floor(random() * 4) }, piece).join('')}`;
      const what = `seed ${seed}: ${JSON.stringify(target)}`;
      const { status, body } = await rawRequest(one.port, ask(target));
      expect([200, 400, 401, 404], what).toContain(status);
      expect(body, what).not.toBe('secret');
      if (status !== 200) continue;
      taken++;
      expect(seen.pop(), what).toBe(target.replace('/open', '/api'));
      // Nor does a reader come elsewhere that decodes, resolves dots, or takes a backslash for a slash.
      const [path = ''] = target.split('?');
      const decoded = path.replace(/%(2e|2f|5c)/gi, decodeURIComponent);
      const resolved = new URL(`http://x${decoded}`).pathname;
      expect(resolved === '/open' || resolved.startsWith('/open/'), what).toBe(true);
    }
    expect(taken).toBeGreaterThan(10);
    expect(seen).toEqual([]);
  },
  600_000,
);

describe('Expect: 100-continue', () => {
  const head =
    'POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 5\r\n\r\n';

  test('a service that nobody reaches is answered without asking for the body', async () => {
    await using one = await startGateway();
    one.catalog.add({ url: '/x' }, { endpoints: [`http://127.0.0.1:${await deadPort()}`] });
    await one.follows();
    const { text, status, headers } = await rawRequest(one.port, head);
    expect([status, headers.connection]).toEqual([502, 'close']);
    expect(text).not.toContain('100 Continue');
  });

  test('an upstream that refuses before it has the body: its answer is the last', async () => {
    await using upstream = await startRawUpstream((socket) => {
      socket.end('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
    });
    await using one = await startGateway();
    one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
    await one.follows();
    const { text } = await rawRequest(one.port, `${head}hello`);
    expect(text).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 417 .*\r\n\r\nno$/s);
  });

  test('of HTTP/1.0 is none, and the body is waited for', async () => {
    await using upstream = await startUpstream((request, response) => void request.pipe(response));
    await using one = await startGateway();
    one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
    await one.follows();
    const { text, body } = await rawRequest(one.port, `${head.replace('HTTP/1.1', 'HTTP/1.0')}hello`);
    expect([text.startsWith('HTTP/1.1 200'), body]).toEqual([true, 'hello']);
  });
});
