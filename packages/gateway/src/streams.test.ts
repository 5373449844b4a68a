// Bodies, both ways: whole, streamed, cancelled, broken off.
import { once } from 'node:events';
import { get as httpGet, request as httpRequest } from 'node:http';
import net, { type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import {
  parseAnswer,
  rawRequest,
  startGateway,
  startRawUpstream,
  startUpstream,
  tokenOf,
} from './gateway.fixture.ts';

const mebibyte = 1024 * 1024;
const manyBytes = 100 * mebibyte;

async function gatewayTo(upstream: { url: string }) {
  const one = await startGateway();
  one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
  await one.follows();
  return one;
}

/** Writes until `total` or until the other side takes no more. */
function pump(write: (chunk: Buffer) => boolean, end: () => void, total: number) {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const state = { written: 0, go: () => {} };
  state.go = () => {
    while (state.written < total) {
      state.written += chunk.length;
      if (!write(chunk)) return;
    }
    if (state.written >= total) end();
  };
  return state;
}

/** The last answer, once it has been the same for five times: what is stuck has stopped. */
async function settled(ask: () => number): Promise<number> {
  let last = -1;
  let same = 0;
  return eventually(ask, (answer) => {
    same = answer === last ? same + 1 : 0;
    last = answer;
    return answer > 0 && same >= 5;
  });
}

describe('bodies are streamed', () => {
  test('100 MB down: a client that reads nothing stops the upstream; one that reads gets all', async () => {
    let sent = { written: 0 };
    await using upstream = await startUpstream((_request, response) => {
      const state = pump(
        (chunk) => response.write(chunk),
        () => response.end(),
        manyBytes,
      );
      sent = state;
      response.on('drain', state.go);
      state.go();
    });
    await using one = await gatewayTo(upstream);
    const request = httpGet(`${one.url}/x`);
    const [response] = await once(request, 'response');
    response.pause();
    const stuckAt = await settled(() => sent.written);
    expect(stuckAt).toBeLessThan(40 * mebibyte); // kernel buffers of two connections, and little of ours
    let read = 0;
    response.on('data', (chunk: Buffer) => {
      read += chunk.length;
    });
    response.resume();
    await once(response, 'end');
    expect(read).toBe(manyBytes);
    await eventually(() => one.log[0]?.bytes === manyBytes);
  });

  test('100 MB up: an upstream that reads nothing stops the client; one that reads gets all', async () => {
    let read = 0;
    let readNow: (() => void) | undefined;
    await using upstream = await startUpstream((request, response) => {
      readNow = () => {
        request.on('data', (chunk: Buffer) => {
          read += chunk.length;
        });
        request.on('end', () => response.end(String(read)));
      };
    });
    await using one = await gatewayTo(upstream);
    const request = httpRequest(`${one.url}/x`, { method: 'POST' });
    const state = pump(
      (chunk) => request.write(chunk),
      () => request.end(),
      manyBytes,
    );
    request.on('drain', state.go);
    state.go();
    await eventually(() => readNow);
    const stuckAt = await settled(() => state.written);
    expect(stuckAt).toBeLessThan(40 * mebibyte);
    readNow?.();
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(200);
    response.resume();
    await once(response, 'end');
    expect(read).toBe(manyBytes);
  });

  test('an event is at the client before the next one is written', async () => {
    let next: ((text: string) => void) | undefined;
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.flushHeaders();
      next = (text) => void response.write(text);
    });
    await using one = await gatewayTo(upstream);
    const answer = await fetch(`${one.url}/x`); // resolves by the head alone
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const reader = answer.body?.getReader();
    for (const event of ['data: one\n\n', 'data: two\n\n']) {
      next?.(event);
      expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(event);
    }
    await reader?.cancel();
  });

  test('a body with Content-Length goes on with it, one without in chunks', async () => {
    await using upstream = await startUpstream((request, response) => {
      const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk;
      });
      request.on('end', () => response.end(JSON.stringify({ length, coding, body })));
    });
    await using one = await gatewayTo(upstream);
    const send = async (method: string, framing: string) => {
      const head = `${method} /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
      const { text } = await rawRequest(one.port, `${head}${framing}`);
      return JSON.parse(/\{.*\}/.exec(text)?.[0] ?? '{}');
    };
    expect(await send('POST', 'Content-Length: 5\r\n\r\nhello')).toEqual({ length: '5', body: 'hello' });
    expect(
      await send('PUT', 'Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\n'),
    ).toEqual({
      coding: 'chunked',
      body: 'hello',
    });
    expect(await send('DELETE', 'Content-Length: 5\r\n\r\nhello')).toEqual({ length: '5', body: 'hello' });
    expect(await send('GET', 'Content-Length: 5\r\n\r\nhello')).toEqual({ length: '5', body: 'hello' });
    expect(await send('POST', 'Content-Length: 0\r\n\r\n')).toEqual({ length: '0', body: '' });
    expect(await send('GET', '\r\n')).toEqual({ body: '' });
  });

  test('Expect: 100-continue is answered once the caller is authorized, and not before', async () => {
    await using upstream = await startUpstream((request, response) => {
      expect(request.headers.expect).toBeUndefined();
      request.pipe(response);
    });
    await using one = await startGateway();
    one.catalog.add({ url: '/x', access: 'token' }, { endpoints: [upstream.url] });
    await one.follows();
    const head = (token: string) =>
      `POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n${token}\r\n`;
    const refused = await rawRequest(one.port, head(''));
    expect([refused.status, refused.headers.connection]).toEqual([401, 'close']);

    const socket = net.connect(one.port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.write(head(`Authorization: Bearer ${tokenOf('ann', [])}\r\n`));
    await eventually(() => text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
    socket.write('hello');
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK.*hello/s);
  });
});

describe('who leaves', () => {
  test('a client that leaves cancels the upstream: before the head, and in the middle of the body', async () => {
    for (const begins of [false, true]) {
      let closed = false;
      let came = false;
      await using upstream = await startUpstream((_request, response) => {
        came = true;
        if (begins) response.write('some');
        response.on('close', () => {
          closed = true;
        });
      });
      await using one = await gatewayTo(upstream);
      const request = httpGet(`${one.url}/x`);
      request.on('error', () => undefined);
      if (begins) await once(request, 'response');
      await eventually(() => came);
      request.destroy();
      await eventually(() => closed);
      await eventually(() => one.log.length === 1);
      expect(one.log[0]).toMatchObject({ aborted: true, attempts: 1, status: begins ? 200 : 0 });
    }
  });

  // Story: node tells only the answer whose turn it is; those behind it stayed at their upstreams for ever.
  test('a client that leaves cancels what it pipelined too', async () => {
    let came = 0;
    let closed = 0;
    await using upstream = await startUpstream((request, response) => {
      came++;
      response.on('close', () => closed++);
      request.resume();
    });
    await using one = await gatewayTo(upstream);
    const socket = net.connect(one.port, '127.0.0.1');
    socket.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi'.repeat(3));
    await eventually(() => came === 3);
    socket.destroy();
    await eventually(() => closed === 3 && one.log.length === 3);
  });

  test('a client that pipelines without end is cut off', async () => {
    let came = 0;
    await using upstream = await startUpstream(() => void came++);
    await using one = await gatewayTo(upstream);
    await rawRequest(one.port, 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(150));
    expect(came).toBeLessThanOrEqual(100);
    await eventually(() => one.log.length === 100);
  });

  test('pipelined requests are answered in their order', async () => {
    const answers: (() => void)[] = [];
    await using upstream = await startUpstream((request, response) => {
      answers.push(() => response.end(request.url));
    });
    await using one = await gatewayTo(upstream);
    const socket = net.connect(one.port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.write(
      'GET /x/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /x/2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    await eventually(() => answers.length === 2);
    for (const answer of answers.reverse()) answer();
    await once(socket, 'close');
    expect(text).toMatch(/\/1.*\/2/s);
  });

  test('a client that leaves in the middle of its upload breaks it off at the upstream', async () => {
    let broke = false;
    let came = false;
    await using upstream = await startUpstream((request) => {
      request.on('data', () => {
        came = true;
      });
      request.on('error', () => {
        broke = true;
      });
    });
    await using one = await gatewayTo(upstream);
    const socket = net.connect(one.port, '127.0.0.1');
    socket.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome');
    await eventually(() => came);
    socket.destroy();
    await eventually(() => broke);
    await eventually(() => one.log.length === 1);
    const upstreams = one.log[0]?.instance;
    expect([upstreams, one.log[0]?.attempts, one.errors]).toEqual([`127.0.0.1-${upstream.port}`, 1, []]);
  });

  // Story: undici asked a broken body for its first bytes before it listened for errors, and the process ended.
  test('a body that broke before the upstream is connected harms its own request alone', async () => {
    await using upstream = await startUpstream((request, response) => void request.pipe(response));
    await using one = await gatewayTo(upstream);
    const broken = 'POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n';
    await rawRequest(one.port, broken);
    await eventually(() => one.log.length === 1);
    expect(one.errors).toEqual([]);
    expect(await (await fetch(`${one.url}/x`, { method: 'POST', body: 'hi' })).text()).toBe('hi');
  });

  test.each<[string, string]>([
    ['with Content-Length', 'Content-Length: 100\r\n\r\nsome'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n'],
    ['in the middle of a chunk', 'Transfer-Encoding: chunked\r\n\r\n64\r\nsome'],
    ['in chunks, closing', 'Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n'],
    ['with a broken chunk', 'Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\nzz\r\n'],
  ])('an upstream that dies in the middle of a body %s: the answer is never complete', async (_how, rest) => {
    await using upstream = await startRawUpstream((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${rest}`, () => socket.end());
    });
    await using one = await gatewayTo(upstream);
    const { status, text } = await rawRequest(one.port, 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n');
    expect([0, 200]).toContain(status); // a break that comes with the head may overtake it
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
    await expect(fetch(`${one.url}/x`).then((answer) => answer.text())).rejects.toThrow();
    await eventually(() => one.log.length === 2);
    expect(one.log[0]).toMatchObject({ aborted: true });
  });
});

describe('answers that undici or node could trip over', () => {
  test.each<[string, string, string, number]>([
    [
      '304 with Content-Length',
      'GET',
      'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 500\r\n\r\n',
      304,
    ],
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n', 204],
    ['204 with Content-Length', 'GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', 204],
    ['HEAD with Content-Length', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n', 200],
    ['HEAD in chunks', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 200],
    ['an empty body', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 200],
    ['100 unasked', 'POST', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 200],
    [
      '100 twice, with fields',
      'POST',
      `${'HTTP/1.1 100 Go on\r\nA: b\r\n\r\n'.repeat(2)}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`,
      200,
    ],
    [
      '103 before it',
      'GET',
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      200,
    ],
    ['500', 'POST', 'HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n', 500],
    [
      'a body that looks like 100',
      'GET',
      'HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n',
      200,
    ],
  ])('%s', async (_what, method, bytes, status) => {
    // Byte by byte too: where a read ends must not matter.
    for (const step of [bytes.length, 1]) {
      await using upstream = await startRawUpstream((socket) => void writeInSteps(socket, bytes, step));
      await using one = await gatewayTo(upstream);
      for (let turn = 0; turn < 2; turn++) {
        const ask = `${method} /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${method === 'POST' ? 'Content-Length: 0\r\n' : ''}\r\n`;
        const answer = await rawRequest(one.port, ask);
        expect(answer.status).toBe(status);
        if (bytes.includes('looks') || bytes.includes('25'))
          expect(answer.body).toContain('HTTP/1.1 100 Continue');
        else expect(answer.body.replace(/^0\r\n\r\n$/, '')).toBe('');
        if (bytes.includes('500\r\n\r\n')) expect(answer.headers['content-length']).toBe('500');
        if (status === 204) expect(answer.headers['content-length']).toBeUndefined();
      }
    }
  });

  test.each([
    ['no HTTP', 'nonsense\r\n\r\n'],
    [
      'an upgrade nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
    ],
    [
      'two ways to end',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
    ['coded, unasked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n'],
    ['chunked not last', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n2\r\nhi\r\n0\r\n\r\n'],
    ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}`],
  ])('%s is 502', async (_what, bytes) => {
    await using upstream = await startRawUpstream((socket) => socket.write(bytes));
    await using one = await gatewayTo(upstream);
    const answer = await rawRequest(
      one.port,
      'POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    );
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, 'upstream_failed']);
  });

  test('white space behind a value stays here', async () => {
    await using upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nX-Test: a b \t\r\nContent-Length: 2  \r\n\r\nok');
    });
    await using one = await gatewayTo(upstream);
    const { text } = await rawRequest(one.port, 'GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(text).toContain('\r\nX-Test: a b\r\nContent-Length: 2\r\n');
  });

  test('an answer that ends with its connection comes whole', async () => {
    await using upstream = await startRawUpstream((socket) =>
      socket.end('HTTP/1.1 200 OK\r\n\r\nto the end'),
    );
    await using one = await gatewayTo(upstream);
    expect(await (await fetch(`${one.url}/x`)).text()).toBe('to the end');
  });

  test('fields that come twice stay two; hop-by-hop ones stay here', async () => {
    await using upstream = await startRawUpstream((socket) => {
      const fields =
        'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nKeep-Alive: timeout=5\r\nConnection: X-Secret\r\nX-Secret: 1\r\nX-Reg-Subject: root\r\n';
      socket.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 2\r\n\r\nok`);
    });
    await using one = await gatewayTo(upstream);
    const answer = await fetch(`${one.url}/x`);
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect([answer.headers.get('x-secret'), answer.headers.get('x-reg-subject')]).toEqual([null, null]);
  });

  test('an early answer to a long upload reaches the client', async () => {
    await using upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nstop');
    });
    await using one = await gatewayTo(upstream);
    const head = 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n';
    const answer = await rawRequest(one.port, head + 'a'.repeat(200_000));
    expect([answer.status, answer.body]).toEqual([413, 'stop']);
  });

  test('connections to an upstream are used again', async () => {
    await using upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    await using one = await gatewayTo(upstream);
    for (let turn = 0; turn < 20; turn++) expect(await (await fetch(`${one.url}/x`)).text()).toBe('ok');
    expect(upstream.connections).toBe(1);
  });

  test('HTTP/1.0 clients get whole answers', async () => {
    await using upstream = await startUpstream((_request, response) => {
      response.write('one');
      response.end('two');
    });
    await using one = await gatewayTo(upstream);
    const answer = parseAnswer((await rawRequest(one.port, 'GET /x HTTP/1.0\r\n\r\n')).text);
    expect([answer.status, answer.body]).toEqual([200, 'onetwo']);
  });
});

async function writeInSteps(socket: Socket, bytes: string, step: number): Promise<void> {
  socket.setNoDelay(true);
  for (let at = 0; at < bytes.length && !socket.destroyed; at += step) {
    await new Promise((resolve) => socket.write(bytes.slice(at, at + step), resolve));
    await new Promise(setImmediate);
  }
}
