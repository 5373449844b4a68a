// Fields behind a chunked body, both ways: those that may go along do, those that steer or identify do not.
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { rawRequest, startGateway, startRawUpstream, startUpstream } from './gateway.fixture.ts';

async function gatewayTo(upstream: { url: string }) {
  const one = await startGateway();
  one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
  await one.follows();
  return one;
}

/** What may not stand behind a body: as it is, and as an app behind CGI or PHP would read it too. */
const dropped = [
  ...[
    'Authorization: Bearer x',
    'authorization: Bearer y',
    'Cookie: a=b',
    'Set-Cookie: a=b',
    'Set_Cookie: a=c',
  ],
  ...['X-Reg-Subject: root', 'x_reg_roles: admin', 'X-Forwarded-For: 10.0.0.1', 'X-Real-IP: 10.0.0.1'],
  ...['X-Original-URL: /admin', 'X-HTTP-Method-Override: DELETE', 'X-Request-Id: mine', 'Host: evil'],
  ...['Content_Length: 5', 'Connection: close', 'Trailer: X'],
  ...['TE: gzip', 'Content-Type: text/html', 'Content-Encoding: gzip', 'Cache-Control: public', 'Age: 1'],
  ...[
    'If-None-Match: "1"',
    'Range: bytes=0-1',
    'Location: /',
    'Vary: *',
    'Expect: 100-continue',
    'Upgrade: h2c',
  ],
].map((line) => `${line}\r\n`);
/** Node's parser takes neither in a trailer of a request. */
const framing = ['Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n'];
const kept = 'X-Checksum: abc\r\nServer-Timing: db;dur=53\r\nx-checksum: again\r\n';

describe('of a request', () => {
  /** Answers each request with all that came of it, once its last chunk is there. */
  async function startEcho() {
    let received = '';
    return startRawUpstream((socket, chunk) => {
      received += chunk;
      const isWhole =
        /\r\n0\r\n(.+\r\n)*\r\n$/.test(received) || /content-length: \d+\r\n\r\n/i.test(received);
      if (!isWhole) return;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${received.length}\r\n\r\n${received}`);
      received = '';
    });
  }
  const head = 'POST /x HTTP/1.1\r\nHost: x\r\n';
  const chunked = 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n';
  const tail = (text: string) => text.slice(text.indexOf('hello'));

  test('go along as they came, and their announcement; a second request on the connection has none', async () => {
    await using upstream = await startEcho();
    await using one = await gatewayTo(upstream);
    const first = `${head}Trailer: X-Checksum, Authorization,Server-Timing\r\n${chunked}${kept}\r\n`;
    const answer = await rawRequest(one.port, `${first}${head}Connection: close\r\n${chunked}\r\n`);
    const [, one_ = '', two = ''] = answer.text.split('HTTP/1.1 200 OK');
    expect(tail(one_)).toBe(`hello\r\n0\r\n${kept}\r\n`);
    expect(one_).toContain('\r\nTrailer: X-Checksum, Server-Timing\r\n');
    expect(tail(two)).toBe('hello\r\n0\r\n\r\n');
    expect(two).not.toMatch(/^trailer:/im);
  });

  test.each(dropped)('%j does not', async (line) => {
    await using upstream = await startEcho();
    await using one = await gatewayTo(upstream);
    const ask = `${head}Connection: close\r\n${chunked}${line}${kept}\r\n`;
    const { body } = await rawRequest(one.port, ask);
    expect(tail(body)).toBe(`hello\r\n0\r\n${kept}\r\n`);
  });

  test.each(framing)('%j is no end that a parser may see behind one', async (line) => {
    await using upstream = await startEcho();
    await using one = await gatewayTo(upstream);
    const ask = `${head}Connection: close\r\n${chunked}${line}${kept}\r\n`;
    expect((await rawRequest(one.port, ask)).status).toBe(400);
    expect(upstream.sockets.every(({ bytesRead }) => bytesRead === 0)).toBe(true);
  });

  test('what Connection names does not', async () => {
    await using upstream = await startEcho();
    await using one = await gatewayTo(upstream);
    const ask = `${head}Connection: close, x-checksum\r\n${chunked}${kept}\r\n`;
    expect(tail((await rawRequest(one.port, ask)).body)).toBe(
      'hello\r\n0\r\nServer-Timing: db;dur=53\r\n\r\n',
    );
  });

  test('without a body they are dropped: there is no chunk for them to follow', async () => {
    await using upstream = await startEcho();
    await using one = await gatewayTo(upstream);
    const empty = `${head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${kept}\r\n`;
    const { body } = await rawRequest(one.port, empty);
    expect(body).toMatch(/content-length: 0\r\n\r\n$/);
  });

  test('of a body that looks like an end go along behind the real one', async () => {
    await using upstream = await startUpstream((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk;
      });
      request.on('end', () => response.end(JSON.stringify({ body, trailers: request.trailers })));
    });
    await using one = await gatewayTo(upstream);
    const request = httpRequest(`${one.url}/x`, { method: 'PUT', headers: { Trailer: 'X-Checksum' } });
    request.write('\r\n0\r\n\r\n');
    request.write('more');
    request.addTrailers({ 'X-Checksum': 'abc' });
    request.end();
    const [response] = await once(request, 'response');
    const [text] = await once(response, 'data');
    expect(JSON.parse(text)).toEqual({ body: '\r\n0\r\n\r\nmore', trailers: { 'x-checksum': 'abc' } });
  });
});

describe('of an answer', () => {
  const chunked = '5\r\nhello\r\n0\r\n';
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n';
  const ask = 'GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

  test('go along as they came, and their announcement', async () => {
    const announced = 'Trailer: X-Checksum, Set-Cookie\r\nTrailer: Server-Timing\r\n';
    await using upstream = await startRawUpstream((socket) => {
      socket.write(`${head}${announced}\r\n${chunked}${kept}\r\n`);
    });
    await using one = await gatewayTo(upstream);
    for (let turn = 0; turn < 2; turn++) {
      const answer = await rawRequest(one.port, ask);
      expect(answer.headers.trailer).toBe('X-Checksum, Server-Timing');
      expect(answer.body).toBe(`5\r\nhello\r\n0\r\n${kept}\r\n`);
    }
    expect(upstream.connections).toBe(1);
  });

  test('of one that is longer than one write, too', async () => {
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { Trailer: 'X-Checksum' });
      response.write('a'.repeat(1_000_000));
      response.addTrailers({ 'X-Checksum': 'abc', 'X-Reg-Subject': 'root' });
      response.end();
    });
    await using one = await gatewayTo(upstream);
    const request = httpRequest(`${one.url}/x`).end();
    const [response]: [IncomingMessage] = await once(request, 'response').then(([first]) => [first]);
    response.resume();
    await once(response, 'end');
    expect(response.rawTrailers).toEqual(['X-Checksum', 'abc']);
  });

  test.each(dropped)('%j does not', async (line) => {
    await using upstream = await startRawUpstream((socket) => {
      socket.write(`${head}\r\n${chunked}${line}${kept}\r\n`);
    });
    await using one = await gatewayTo(upstream);
    const { body } = await rawRequest(one.port, ask);
    expect(body).toBe(`5\r\nhello\r\n0\r\n${kept}\r\n`);
  });

  test.each(framing)('%j never arrives', async (line) => {
    await using upstream = await startRawUpstream((socket) => {
      socket.write(`${head}\r\n${chunked}${line}${kept}\r\n`);
    });
    await using one = await gatewayTo(upstream);
    const { body } = await rawRequest(one.port, ask); // one is broken off, the other dropped
    expect(['5\r\nhello\r\n', `5\r\nhello\r\n0\r\n${kept}\r\n`]).toContain(body);
  });

  test('what Connection names does not', async () => {
    await using upstream = await startRawUpstream((socket) => {
      socket.write(`${head}Connection: X-Checksum\r\n\r\n${chunked}${kept}\r\n`);
    });
    await using one = await gatewayTo(upstream);
    expect((await rawRequest(one.port, ask)).body).toMatch(/0\r\nServer-Timing: db;dur=53\r\n\r\n$/);
  });

  test.each([
    ['HTTP/1.0 has none', 'GET /x HTTP/1.0\r\n\r\n', 'hello'],
    [
      'HTTP/1.0 is never chunked, even if it asks',
      'GET /x HTTP/1.0\r\nTE: chunked, trailers\r\n\r\n',
      'hello',
    ],
    ['HEAD has no body', ask.replace('GET', 'HEAD'), ''],
  ])('%s', async (_why, bytes, body) => {
    await using upstream = await startRawUpstream((socket, received) => {
      const end = received.startsWith('HEAD') ? '' : `${chunked}${kept}\r\n`;
      socket.write(`${head}Trailer: X-Checksum\r\n\r\n${end}`);
    });
    await using one = await gatewayTo(upstream);
    const answer = await rawRequest(one.port, bytes);
    expect([answer.status, answer.body]).toEqual([200, body]);
    expect([answer.headers.trailer, answer.headers['transfer-encoding']]).toEqual([undefined, undefined]);
  });

  test.each([200, 204, 304])('a Trailer of a %i that none can follow is not announced', async (status) => {
    await using upstream = await startRawUpstream((socket) => {
      socket.write(`HTTP/1.1 ${status} Oh\r\nContent-Length: 0\r\nTrailer: X-Checksum\r\n\r\n`);
    });
    await using one = await gatewayTo(upstream);
    const answer = await rawRequest(one.port, ask);
    expect([answer.status, answer.headers.trailer, one.errors]).toEqual([status, undefined, []]);
  });

  test.each<[sent: string, arrives: RegExp | undefined]>([
    ['TE: trailers\r\nConnection: TE', /\r\nTE: trailers\r\n/],
    ['te: gzip;q=0.5, Trailers', /\r\nTE: trailers\r\n/],
    ['TE: gzip, chunked', undefined],
    ['X: TE: trailers', undefined],
    ['Accept: */*', undefined],
  ])('%j says whether the client keeps them, and the upstream hears that alone', async (sent, arrives) => {
    let received = '';
    await using upstream = await startRawUpstream((socket, chunk) => {
      received += chunk;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
    await using one = await gatewayTo(upstream);
    for (const method of ['GET', 'HEAD', 'POST']) {
      received = '';
      const body = method === 'POST' ? 'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n' : '\r\n';
      await rawRequest(
        one.port,
        `${method} /x HTTP/1.1\r\nHost: x\r\n${sent}\r\nConnection: close\r\n${body}`,
      );
      const connection = /\r\nconnection: (.*)\r\n/i.exec(received)?.[1] ?? '';
      expect(connection.includes('TE'), received).toBe(arrives !== undefined);
      if (arrives) expect(received).toMatch(arrives);
      else expect(received).not.toMatch(/^te:/im);
    }
  });
});
