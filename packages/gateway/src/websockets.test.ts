// WebSockets through the gateway: node's server behind it, and mostly bare sockets before it, since a library
// would repair what is to be sent.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import net, { type Socket } from 'node:net';
import { WebSocket } from 'undici';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import {
  deadPort,
  parseAnswer,
  rawRequest,
  startGateway,
  startRawUpstream,
  startUpstream,
  tokenOf,
} from './gateway.fixture.ts';

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const accept = acceptOf(key);
const fields = `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n`;
const switching = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`;

/** RFC 6455 §4.2.2. */
function acceptOf(asked: unknown): string {
  return createHash('sha1').update(`${asked}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

function handshake(extra = '', path = '/x'): string {
  return `GET ${path} HTTP/1.1\r\nHost: gate.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n${fields}${extra}\r\n`;
}

/** A short text as a frame (RFC 6455 §5.2): a client masks it, a server does not. */
function frameOf(text: string, masked: boolean): Buffer {
  const mask = masked ? Buffer.from([1, 2, 3, 4]) : Buffer.alloc(4);
  const body = Buffer.from(text).map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  const head = Buffer.from([0x81, (masked ? 0x80 : 0) | body.length]);
  return Buffer.concat([head, masked ? mask : Buffer.alloc(0), body]);
}

/** Says hello, then answers each frame with its text and one word more. */
async function startEcho(sockets: Socket[] = [], seen: IncomingMessage[] = []) {
  const upstream = await startUpstream((_request, response) => void response.end('plain'));
  upstream.server.on('upgrade', (message: IncomingMessage, socket: Socket, early: Buffer) => {
    seen.push(message);
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(`${switching.replace(accept, acceptOf(message.headers['sec-websocket-key']))}\r\n`);
    socket.write(frameOf('hello', false));
    let held = early;
    const answer = (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      for (;;) {
        const length = (held[1] ?? 0) & 0x7f;
        if (held.length < 6 + length) return;
        if (((held[0] ?? 0) & 0x0f) === 8) socket.end(Buffer.from([0x88, 0])); // a Close is answered by one
        if (!socket.writable) return;
        const text = held.subarray(6, 6 + length).map((byte, at) => byte ^ (held[2 + (at % 4)] ?? 0));
        held = held.subarray(6 + length);
        socket.write(frameOf(`${Buffer.from(text)} too`, false));
      }
    };
    answer(Buffer.alloc(0));
    socket.on('data', answer);
    socket.on('end', () => socket.end());
  });
  return upstream;
}

async function gatewayTo(urls: string[], options: Parameters<typeof startGateway>[0] = {}) {
  const one = await startGateway(options);
  one.catalog.add({ name: 'x', url: '/x' }, ...urls.map((url) => ({ endpoints: [url] })));
  await one.follows();
  return one;
}

/** A client's socket, and all that it has read. */
function open(port: number, bytes: string | Buffer) {
  const socket = net.connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.write(bytes);
  return {
    socket,
    text: () => Buffer.concat(chunks).toString('latin1'),
    [Symbol.dispose]: () => socket.destroy(),
  };
}

async function codeOf(port: number, bytes: string) {
  const { status, body, headers } = await rawRequest(port, bytes);
  expect(headers.connection).toBe('close');
  return [status, body.startsWith('{') ? JSON.parse(body).code : body];
}

describe('a tunnel', () => {
  test('frames go both ways, also those that came with the heads; the log has one line at its end', async () => {
    const seen: IncomingMessage[] = [];
    await using upstream = await startEcho([], seen);
    await using one = await gatewayTo([`${upstream.url}/api`]);
    const head = Buffer.from(
      handshake('Sec-WebSocket-Protocol: chat\r\nX-Reg-Subject: root\r\n', '/x/room?a=b'),
    );
    using client = open(one.port, Buffer.concat([head, frameOf('early', true)]));
    await eventually(client.text, (text) => text.includes('early too'));
    client.socket.write(frameOf('late', true));
    await eventually(client.text, (text) => text.endsWith('late too'));
    const answer = parseAnswer(client.text());
    expect([answer.status, answer.headers.upgrade, answer.headers.connection]).toEqual([
      101,
      'websocket',
      'Upgrade',
    ]);
    expect(answer.headers['sec-websocket-accept']).toBe(accept);
    expect(Buffer.from(answer.body, 'latin1')).toEqual(
      Buffer.concat(['hello', 'early too', 'late too'].map((text) => frameOf(text, false))),
    );
    const [message] = seen;
    expect([message?.method, message?.url]).toEqual(['GET', '/api/room?a=b']);
    expect(message?.headers).toMatchObject({ 'sec-websocket-key': key, 'sec-websocket-protocol': 'chat' });
    expect(message?.headers).toMatchObject({ 'x-forwarded-host': 'gate.example', upgrade: 'websocket' });
    expect(message?.headers['x-reg-subject']).toBeUndefined();

    expect(one.log).toEqual([]);
    client.socket.end();
    await once(client.socket, 'close');
    await eventually(() => one.log.length === 1);
    expect(one.log[0]).toMatchObject({
      status: 101,
      service: 'x',
      bytes: answer.body.length,
      aborted: false,
    });
    expect(one.errors).toEqual([]);
  });

  test('for a client that people have, from its token to its Close', async () => {
    await using upstream = await startEcho();
    await using one = await startGateway();
    one.catalog.add({ url: '/x', access: 'token', authorizedRoles: ['chat'] }, { endpoints: [upstream.url] });
    await one.follows();
    const headers = { authorization: `Bearer ${tokenOf('ann', ['chat'])}` };
    const client = new WebSocket(`${one.url.replace('http', 'ws')}/x`, { headers });
    const said: string[] = [];
    client.addEventListener('message', ({ data }) => said.push(String(data)));
    await once(client, 'open');
    client.send('one');
    client.send('two');
    await eventually(() => said.length === 3);
    expect(said).toEqual(['hello', 'one too', 'two too']);
    const closed = once(client, 'close');
    client.close();
    await closed;
    await eventually(() => one.log.length === 1);
    expect(one.log[0]).toMatchObject({ status: 101, subject: 'ann', aborted: false });
  });

  test('after other requests on the same connection', async () => {
    await using upstream = await startEcho();
    await using one = await gatewayTo([upstream.url]);
    using client = open(one.port, 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(client.text, (text) => text.endsWith('plain'));
    client.socket.write(handshake());
    await eventually(client.text, (text) => text.endsWith('hello'));
  });

  test('an upstream that ends, or breaks off, ends the client', async () => {
    const sockets: Socket[] = [];
    await using upstream = await startEcho(sockets);
    await using one = await gatewayTo([upstream.url]);
    for (const [how, aborted] of [
      ['end', false],
      ['resetAndDestroy', true],
    ] as const) {
      using client = open(one.port, handshake());
      await eventually(client.text, (text) => text.endsWith('hello'));
      one.log.length = 0;
      sockets.pop()?.[how]();
      await once(client.socket, 'close');
      await eventually(() => one.log.length === 1);
      expect(one.log[0]).toMatchObject({ status: 101, aborted });
    }
  });

  test('a side that has said its end still hears what the other had to say', async () => {
    await using upstream = await startRawUpstream((socket, received) => {
      if (!received.startsWith('GET')) return;
      socket.write(`${switching}\r\n`);
      socket.on('end', () => socket.end('last words'));
    });
    await using one = await gatewayTo([upstream.url]);
    using client = open(one.port, handshake());
    await eventually(client.text, (text) => text.includes('\r\n\r\n'));
    client.socket.end('bye');
    await once(client.socket, 'close');
    expect(client.text()).toMatch(/last words$/);
    await eventually(() => one.log[0]?.aborted === false);
  });

  test('a client that breaks off ends the upstream', async () => {
    const sockets: Socket[] = [];
    await using upstream = await startEcho(sockets);
    await using one = await gatewayTo([upstream.url]);
    using client = open(one.port, handshake());
    await eventually(client.text, (text) => text.endsWith('hello'));
    client.socket.resetAndDestroy();
    await eventually(() => sockets[0]?.destroyed);
    await eventually(() => one.log[0]?.aborted);
  });

  test('a client that reads nothing stops the upstream, and the other way about', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 'x');
    const total = 100 * megabyte.length;
    const sockets: Socket[] = [];
    await using upstream = await startRawUpstream((socket, received) => {
      if (!received.startsWith('GET')) return;
      sockets.push(socket);
      socket.pause();
      socket.write(`${switching}\r\n`);
    });
    await using one = await gatewayTo([upstream.url]);
    using client = open(one.port, handshake());
    const [server] = await eventually(
      () => sockets,
      ({ length }) => length === 1,
    );
    if (!server) throw new Error('no upstream');
    await eventually(client.text, (text) => text.includes('\r\n\r\n'));
    for (const [from, to] of [
      [server, client.socket],
      [client.socket, server],
    ] as const) {
      to.pause();
      const before = to.bytesRead;
      let written = 0;
      const go = () => {
        while (written < total) {
          written += megabyte.length;
          if (!from.write(megabyte)) return;
        }
      };
      from.on('drain', go);
      go();
      let same = 0;
      let last = -1;
      const stuckAt = await eventually(
        () => written,
        (now) => {
          same = now === last ? same + 1 : 0;
          last = now;
          return same >= 5;
        },
      );
      expect(stuckAt).toBeLessThan(40 * megabyte.length); // kernel buffers, and little of ours
      to.resume();
      await eventually(() => to.bytesRead - before === total, undefined, { withinMs: 20_000 });
    }
  });

  test('it outlives the instance: a drain and an unregister leave it alone', async () => {
    await using upstream = await startEcho();
    await using one = await gatewayTo([upstream.url]);
    using client = open(one.port, handshake());
    await eventually(client.text, (text) => text.endsWith('hello'));
    const instanceId = upstream.url.slice('http://'.length).replace(':', '-');
    one.catalog.change({ kind: 'instance-unregistered', service: 'x', instanceId, generation: 1 });
    await one.follows();
    expect(await codeOf(one.port, handshake())).toEqual([503, 'no_instances']);
    client.socket.write(frameOf('still', true));
    await eventually(client.text, (text) => text.endsWith('still too'));
  });

  test('the gateway closes: both sides hear the end', async () => {
    const sockets: Socket[] = [];
    await using upstream = await startEcho(sockets);
    const one = await gatewayTo([upstream.url]);
    using client = open(one.port, handshake());
    await eventually(client.text, (text) => text.endsWith('hello'));
    const ended = once(client.socket, 'end');
    await one.gateway.close();
    await ended;
    expect(sockets[0]?.readableEnded).toBe(true);
    expect(one.log[0]).toMatchObject({ status: 101, aborted: false });
  });
});

test('the gateway closes during a handshake: it is answered, and the tunnel ends at once', async () => {
  await using upstream = await startRawUpstream((socket) => void socket.on('end', () => socket.end()));
  const one = await gatewayTo([upstream.url]);
  using client = open(one.port, handshake());
  await eventually(() => upstream.sockets[0]?.bytesRead);
  const ended = once(client.socket, 'end');
  const closed = one.gateway.close();
  upstream.sockets[0]?.write(`${switching}\r\nbye`);
  await ended;
  expect(parseAnswer(client.text())).toMatchObject({ status: 101, body: 'bye' });
  await closed;
});

describe('refused', () => {
  test('as any request: 401, 403, 404, 405', async () => {
    await using upstream = await startEcho();
    await using one = await startGateway();
    one.catalog.add({ url: '/x', access: 'token', authorizedRoles: ['chat'] }, { endpoints: [upstream.url] });
    one.catalog.add(
      { url: '/post' },
      { id: 'p', endpoints: [{ type: 'http-post', url: `${upstream.url}/p` }] },
    );
    await one.follows();
    const as = (roles: string[]) => `Authorization: Bearer ${tokenOf('ann', roles)}\r\n`;
    expect(await codeOf(one.port, handshake())).toEqual([401, 'token_missing']);
    expect(await codeOf(one.port, handshake('Authorization: Bearer x\r\n'))).toEqual([401, 'token_invalid']);
    expect(await codeOf(one.port, handshake(as(['other'])))).toEqual([403, 'role_missing']);
    expect(await codeOf(one.port, handshake('', '/nowhere'))).toEqual([404, 'route_not_found']);
    expect(await codeOf(one.port, handshake('', '/post'))).toEqual([405, 'method_not_allowed']);
    expect(await codeOf(one.port, handshake('', '/x/%2e%2e/'))).toEqual([400, 'malformed_request']);
    using client = open(one.port, handshake(as(['chat'])));
    await eventually(client.text, (text) => text.endsWith('hello'));
    expect(one.log.map(({ status }) => status)).toEqual([401, 401, 403, 404, 405, 400]);
  });

  test('pages of other origins, unless they are allowed; programs and own pages pass', async () => {
    await using upstream = await startEcho();
    await using one = await gatewayTo([upstream.url], { allowOrigins: ['https://App.example:443'] });
    for (const origin of [
      'https://evil.example',
      'null',
      'http://gate.example:8080',
      'https://gate.example',
      'https://app.example.evil.example',
      'https://app.example/',
      'https://app.example\r\nOrigin: https://app.example',
      '',
    ]) {
      expect(await codeOf(one.port, handshake(`Origin: ${origin}\r\n`))).toEqual([403, 'origin_refused']);
    }
    for (const origin of ['https://app.example', 'http://gate.example', 'http://gate.example:80']) {
      using client = open(one.port, handshake(`Origin: ${origin}\r\n`));
      await eventually(client.text, (text) => text.endsWith('hello'));
    }
    const plain = await fetch(`${one.url}/x`, { headers: { Origin: 'https://evil.example' } });
    expect(plain.status).toBe(200); // what is no WebSocket is the service's to decide (CORS)
  });

  test('behind a trusted proxy that ends TLS the own origin is what it was asked for; others cannot say so', async () => {
    await using upstream = await startEcho();
    const said =
      'Origin: https://shop.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n';
    await using one = await gatewayTo([upstream.url], { trustedProxies: ['127.0.0.1'] });
    using client = open(one.port, handshake(said));
    await eventually(client.text, (text) => text.endsWith('hello'));
    const foreign = said.replace('https://shop', 'https://evil');
    expect(await codeOf(one.port, handshake(foreign))).toEqual([403, 'origin_refused']);
    await using two = await gatewayTo([upstream.url]);
    expect(await codeOf(two.port, handshake(said))).toEqual([403, 'origin_refused']);
  });

  test.each(['app.example', 'https://app.example/path', 'null', 'ftp://app.example', '*'])(
    'allowOrigins: %s is no origin',
    async (origin) => {
      await expect(startGateway({ allowOrigins: [origin] })).rejects.toThrow('is no origin');
    },
  );

  test('by the upstream: its answer is the answer, and the connection ends', async () => {
    const answers = [
      'HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 2\r\n\r\nno',
      'HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n',
      'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno',
    ];
    await using upstream = await startRawUpstream((socket, _received, connection) => {
      socket.write(answers[connection - 1] ?? '');
    });
    await using one = await gatewayTo([upstream.url]);
    for (const status of [426, 403, 200]) {
      const answer = await rawRequest(one.port, handshake());
      expect([answer.status, answer.headers.connection]).toEqual([status, 'close']);
      expect(answer.body).toContain('no');
      expect(answer.headers.upgrade).toBeUndefined();
      if (status === 426) expect(answer.headers['sec-websocket-version']).toBe('13');
    }
    await eventually(() => upstream.sockets.every(({ destroyed }) => destroyed));
  });

  test.each([
    ['no HTTP', 'nonsense\r\n\r\n'],
    ['another protocol', switching.replace('Upgrade: websocket', 'Upgrade: h2c')],
    ['no Sec-WebSocket-Accept', switching.replace(/Sec-.*\r\n/, '')],
    ['a head without end', `HTTP/1.1 101 OK\r\nX: ${'a'.repeat(20_000)}`],
  ])('by us, what is no answer to a handshake: %s', async (_what, bytes) => {
    await using upstream = await startRawUpstream((socket) => void socket.write(`${bytes}\r\n`));
    await using one = await gatewayTo([upstream.url]);
    expect(await codeOf(one.port, handshake())).toEqual([502, 'upstream_failed']);
    await eventually(() => upstream.sockets.every(({ destroyed }) => destroyed));
  });

  test('an upstream that dies before it answered, or says nothing in time', async () => {
    await using dies = await startRawUpstream((socket) => void socket.destroy());
    await using silent = await startRawUpstream(() => undefined);
    await using one = await gatewayTo([dies.url]);
    expect(await codeOf(one.port, handshake())).toEqual([502, 'upstream_failed']);
    await using other = await gatewayTo([silent.url], { upstreamTimeoutMs: 100 });
    expect(await codeOf(other.port, handshake())).toEqual([504, 'upstream_timeout']);
    await eventually(() => silent.sockets.every(({ destroyed }) => destroyed));
  });
});

test('an instance that is not there is passed over', async () => {
  await using upstream = await startEcho();
  const dead = `http://127.0.0.1:${await deadPort()}`;
  await using one = await gatewayTo([dead, upstream.url]);
  for (let turn = 0; turn < 2; turn++) {
    using client = open(one.port, handshake());
    await eventually(client.text, (text) => text.endsWith('hello'));
  }
  await using none = await gatewayTo([dead]);
  expect(await codeOf(none.port, handshake())).toEqual([502, 'upstream_unreachable']);
});

test('merged endpoints give one JSON object, so no WebSocket is opened to any of them', async () => {
  const opened: Socket[] = [];
  await using upstream = await startEcho(opened);
  await using one = await startGateway();
  const endpoints = [{ type: 'http' as const, url: upstream.url }];
  one.catalog.add({ url: '/x' }, { id: 'one', merge: true, endpoints });
  await one.follows();
  expect(await codeOf(one.port, handshake())).toEqual([501, 'endpoint_type_unsupported']);
  expect(opened).toEqual([]);
});

test('a client that leaves before the answer: the upstream hears it', async () => {
  await using upstream = await startRawUpstream(() => undefined);
  await using one = await gatewayTo([upstream.url]);
  using client = open(one.port, handshake());
  await eventually(() => upstream.sockets.length === 1);
  client.socket.end();
  await eventually(() => upstream.sockets[0]?.destroyed);
  await eventually(() => one.log[0]?.aborted);
});

// Story: once a server listens for upgrades, node hands it every Upgrade there is, body and all.
test('what is no WebSocket handshake stays an ordinary request, with its body and those behind it', async () => {
  await using upstream = await startUpstream((request, response) => {
    expect(request.headers.upgrade).toBeUndefined();
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => response.end(`${request.method} ${body};`));
  });
  await using one = await gatewayTo([upstream.url]);
  const h2c = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n';
  const websocket = `Connection: Upgrade\r\nUpgrade: websocket\r\n${fields}`;
  const plain = 'GET /x HTTP/1.1\r\nHost: x\r\n';
  using client = open(one.port, '');
  // One by one: behind an Upgrade in the same packet node's parser stops, whoever listens.
  for (const [ask, answer] of [
    [`${plain}${h2c}\r\n`, 'GET ;'],
    [`POST /x HTTP/1.1\r\nHost: x\r\n${h2c}Content-Length: 4\r\n\r\nbody`, 'POST body;'],
    [`POST /x HTTP/1.1\r\nHost: x\r\n${websocket}Content-Length: 4\r\n\r\nbody`, 'POST body;'],
    [`${plain}${websocket}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`, 'GET body;'],
    [`${plain}Content-Length: 0\r\n\r\n${plain}${websocket}\r\n`, 'GET ;GET ;'], // not answered yet
    [`${plain}\r\n`, 'GET ;'],
  ] as const) {
    const before = client.text().length;
    client.socket.write(ask);
    const answers = () =>
      client
        .text()
        .slice(before)
        .match(/[A-Z]+ \w*;/g) ?? [];
    await eventually(() => answers().join('') === answer);
  }
});
