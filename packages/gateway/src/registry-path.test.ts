// The registry's API through the gateway's port, with the real registry behind it.
import { once } from 'node:events';
import { get as httpGet, type IncomingMessage, type ServerResponse } from 'node:http';
import { formatPosition, type Position } from '@reg/schema';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import {
  createMemoryStore,
  createRegistry,
  createRegistryServer,
  type Registry,
} from '../../../tests/support/registry.ts';
import {
  deadPort,
  rawRequest,
  startGateway,
  startRawUpstream,
  startUpstream,
  type TestGateway,
} from './gateway.fixture.ts';
import { parseRegistryPath } from './registry-path.ts';

const path = '/registry';

interface Behind extends AsyncDisposable {
  readonly gateway: TestGateway;
  readonly registry: Registry;
  /** Of the registry's API, through the gateway. */
  readonly api: string;
  readonly position: () => Position;
}

async function registryBehind(): Promise<Behind> {
  const registry = createRegistry({ store: createMemoryStore() });
  const server = await createRegistryServer({ registry, port: 0, keepAliveMs: 100 });
  const gateway = await startGateway({ registry: { path, address: () => server.url } });
  return {
    gateway,
    registry,
    api: gateway.url + path,
    position: () => registry.position(),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await server.close();
      await registry.close();
    },
  };
}

const registration = {
  url: '/tickets',
  endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001/tickets' }],
  authorizedRoles: [],
};

function put(url: string, body: object): Promise<Response> {
  return fetch(url, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function openStream(url: string): Promise<IncomingMessage> {
  const [response] = (await once(httpGet(url), 'response')) as [IncomingMessage];
  return response.setEncoding('utf8');
}

/** All that a stream said, growing. */
function textOf(stream: IncomingMessage): () => string {
  let text = '';
  stream.on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

describe('the API through the gateway', () => {
  test('registered, listed, drained, unregistered; a repeated read is 304', async () => {
    await using behind = await registryBehind();
    const instance = `${behind.api}/v1/services/tickets/instances/tickets-1`;
    expect((await put(instance, registration)).status).toBe(201);
    const read = await fetch(`${behind.api}/v1/services/tickets`);
    expect(await read.json()).toMatchObject({ name: 'tickets', instances: [{ instanceId: 'tickets-1' }] });
    const again = await fetch(`${behind.api}/v1/services/tickets`, {
      headers: { 'If-None-Match': read.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
    expect((await fetch(`${instance}/drain?force=true`, { method: 'PUT' })).status).toBe(200);
    expect((await fetch(`${instance}?force=true`, { method: 'DELETE' })).status).toBe(200);
    expect((await fetch(`${behind.api}/v1/services/tickets`)).status).toBe(404);
    expect(behind.gateway.log.map(({ route, status }) => `${route} ${status}`)).toContain('/registry 304');
  });

  test('what the registry refuses comes back as it said it', async () => {
    await using behind = await registryBehind();
    const old = await fetch(`${behind.api}/v1/changes?after=other.1`);
    expect(old.status).toBe(410);
    expect(await old.json()).toMatchObject({ code: 'compacted' });
    const bad = await put(`${behind.api}/v1/services/tickets/instances/tickets-1`, {
      ...registration,
      url: 'tickets',
    });
    expect(bad.status).toBe(400);
    expect(await bad.json()).toMatchObject({ code: 'invalid_request', errors: [{ field: 'url' }] });
    expect((await fetch(behind.api)).status).toBe(404);
  });

  test('a stream of changes and a long poll say what happens, when it happens', async () => {
    await using behind = await registryBehind();
    const stream = await openStream(`${behind.api}/v1/changes`);
    const said = textOf(stream);
    await eventually(said, (text) => text.includes(': following'));
    const polled = fetch(`${behind.api}/v1/services?after=${formatPosition(behind.position())}&wait=30s`);
    await put(`${behind.api}/v1/services/tickets/instances/tickets-1`, registration);
    await eventually(said, (text) => text.includes('instance-registered'));
    expect(await (await polled).json()).toMatchObject({ services: [{ name: 'tickets' }] });
    await eventually(said, (text) => text.includes(': keep-alive'));
    stream.destroy();
  });

  test('names that hold slashes arrive; dot segments and NUL are refused still', async () => {
    await using behind = await registryBehind();
    const name = 'Tickets / Query \\ ../Service';
    const instance = `${behind.api}/v1/services/${encodeURIComponent(name)}/instances/one`;
    expect((await put(instance, registration)).status).toBe(201);
    expect(behind.registry.listServices().services.map((service) => service.name)).toEqual([name]);
    for (const target of ['/registry/../tickets', '/registry/%2e%2e/x', '/registry/v1/%00']) {
      const { status } = await rawRequest(
        behind.gateway.port,
        `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
      expect(`${target} ${status}`).toBe(`${target} 400`);
    }
  });

  test('it is there before the gateway knows any route', async () => {
    await using upstream = await startUpstream((_, response) => response.end('the registry'));
    await using gateway = await startGateway({ registry: { path, address: () => upstream.url } });
    gateway.catalog.away = true;
    expect(await (await fetch(`${gateway.url}/registry/v1/health`)).text()).toBe('the registry');
  });
});

describe('whose path it is', () => {
  test('Authorization goes through as it came, whatever it holds; the prefix goes', async () => {
    await using upstream = await startUpstream(({ url, headers, rawHeaders }, response) => {
      response.end(JSON.stringify({ url, host: headers.host, rawHeaders }));
    });
    await using gateway = await startGateway({ registry: { path, address: () => `${upstream.url}/base/` } });
    const answer = await rawRequest(
      gateway.port,
      'GET /registry/v1/services?a=b HTTP/1.1\r\nHost: x\r\nauthorization: Bearer  no token of a caller\r\n' +
        'X-Reg-Subject: root\r\nLast-Event-ID: one.1\r\nConnection: close\r\n\r\n',
    );
    const { url, host, rawHeaders } = JSON.parse(answer.body);
    expect(url).toBe('/base/v1/services?a=b');
    const at = rawHeaders.indexOf('authorization');
    expect(rawHeaders.slice(at, at + 2)).toEqual(['authorization', 'Bearer  no token of a caller']);
    expect(rawHeaders).toContain('Last-Event-ID');
    expect(host).toBe(new URL(upstream.url).host);
    expect(rawHeaders.filter((text: string) => /^x-reg-/i.test(text))).toEqual([]);
  });

  test('no service is seen at it or below; one beside it is', async () => {
    await using upstream = await startUpstream((_, response) => response.end('the registry'));
    await using service = await startUpstream((_, response) => response.end('a service'));
    await using gateway = await startGateway({ registry: { path, address: () => upstream.url } });
    for (const url of ['/registry', '/registry/v1', '/registry-2']) {
      gateway.catalog.add({ url }, { id: url.slice(1).replace('/', '-'), endpoints: [service.url] });
    }
    await gateway.follows();
    const said = async (target: string) => (await fetch(gateway.url + target)).text();
    expect(await said('/registry')).toBe('the registry');
    expect(await said('/registry?x')).toBe('the registry');
    expect(await said('/registry/v1/services')).toBe('the registry');
    expect(await said('/registry-2')).toBe('a service');
  });

  test.each(['/', 'registry', '/registry/', '/_reg', '/_reg/registry', '/%72egistry', '/a/../b', ''])(
    '%j is no path for it',
    (text) => {
      expect(() => parseRegistryPath(text)).toThrow('no path for the registry');
    },
  );
});

describe('the registry is away', () => {
  test('503, retryable: who has other addresses goes on to them', async () => {
    const port = await deadPort();
    await using gateway = await startGateway({
      registry: { path, address: () => `http://127.0.0.1:${port}` },
    });
    const answer = await fetch(`${gateway.url}/registry/v1/services`);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await answer.json()).toMatchObject({ code: 'registry_unavailable', retryable: true });
  });

  test('it leads to the one that is followed now', async () => {
    await using first = await startUpstream((_, response) => response.end('first'));
    await using second = await startUpstream((_, response) => response.end('second'));
    let address = first.url;
    await using gateway = await startGateway({ registry: { path, address: () => address } });
    const said = async () => (await fetch(`${gateway.url}/registry/v1/services`)).text();
    expect(await said()).toBe('first');
    address = second.url;
    expect(await said()).toBe('second');
  });

  test('a connection that closes just as it is used again is no failure', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    const requests = new Map<number, number>();
    await using upstream = await startRawUpstream((socket, _, connection) => {
      const count = (requests.get(connection) ?? 0) + 1;
      requests.set(connection, count);
      if (count === 1) socket.write(answer);
      else socket.destroy();
    });
    await using gateway = await startGateway({ registry: { path, address: () => upstream.url } });
    const ask = async () => (await fetch(`${gateway.url}/registry/v1/services`)).text();
    expect([await ask(), await ask()]).toEqual(['ok', 'ok']);
    expect(requests.get(1)).toBe(2);
    expect(upstream.connections).toBe(2);
  });
});

test('the gateway ends: streams come to their end, reads that wait are sent elsewhere, writes are finished', async () => {
  const waiting: ServerResponse[] = [];
  await using upstream = await startUpstream((request, response) => {
    if (request.url === '/v1/changes') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(': following\n\n');
    } else waiting.push(response);
  });
  await using gateway = await startGateway({ registry: { path, address: () => upstream.url } });
  const stream = await openStream(`${gateway.url}/registry/v1/changes`);
  const said = textOf(stream);
  await eventually(said, (text) => text.includes(': following'));
  const polled = fetch(`${gateway.url}/registry/v1/services?after=one.1`);
  const written = put(`${gateway.url}/registry/v1/services/tickets/instances/one`, registration);
  await eventually(
    () => waiting.length,
    (length) => length === 2,
  );
  const ended = once(stream, 'end'); // a stream that is broken off says 'error' instead
  const closed = gateway.gateway.close();
  await ended;
  expect(stream.complete).toBe(true);
  expect((await polled).status).toBe(503);
  for (const response of waiting) response.end('written');
  expect(await (await written).text()).toBe('written');
  await closed;
});
