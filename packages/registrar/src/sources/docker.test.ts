// The engine's side is a real HTTP server on a unix socket that answers as Docker 24 does (API 1.43, shortened).
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { temporaryFolder } from '../../../../tests/support/temporary-folder.ts';
import { followDocker } from './docker.ts';
import type { Found } from './source.ts';

interface FakeContainer {
  readonly id: string;
  readonly startedAt: string;
  readonly ports: readonly object[];
  readonly labels?: Record<string, string>;
}

async function startEngine(socket: string) {
  let containers: FakeContainer[] = [];
  const streams = new Set<ServerResponse>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://docker');
    asked.push(`${url.pathname} ${url.searchParams.get('filters') ?? ''}`.trim());
    const json = (value: unknown, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (url.pathname === '/events') {
      streams.add(response);
      response.writeHead(200).flushHeaders();
    } else if (url.pathname === '/containers/json') {
      json(
        containers.map(({ id, ports, labels }) => ({
          Id: id.padEnd(64, '0'),
          Names: [`/${id}`],
          Labels: { 'reg.service': 'tickets', ...labels },
          State: 'running',
          Ports: ports,
          NetworkSettings: { Networks: { bridge: { IPAddress: '172.17.0.2' } } },
        })),
      );
    } else {
      const found = containers.find(({ id }) => url.pathname === `/containers/${id.padEnd(64, '0')}/json`);
      if (found) json({ State: { Running: true, StartedAt: found.startedAt } });
      else json({ message: 'No such container' }, 404);
    }
  }).listen(socket);
  await once(server, 'listening');
  return {
    asked,
    set(next: FakeContainer[]) {
      containers = next;
      for (const stream of streams)
        stream.write(`${JSON.stringify({ Type: 'container', Action: 'start' })}\n`);
    },
    followed: () => streams.size > 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('containers with the label are found where their port is, and a restart is another run', async () => {
  await using folder = await temporaryFolder();
  const socket = join(folder.path, 'docker.sock');
  await using engine = await startEngine(socket);
  let found: readonly Found[] = [];
  const troubles: string[] = [];
  const source = followDocker(
    { label: 'reg.service=tickets', socket },
    {
      found: (all) => {
        found = all;
      },
      trouble: (trouble) => trouble && troubles.push(trouble),
    },
  );
  await eventually(engine.followed);
  const published = { IP: '0.0.0.0', PrivatePort: 3000, PublicPort: 49_153, Type: 'tcp' };
  engine.set([
    {
      id: 'aaaaaaaaaaaa',
      startedAt: '2026-01-01T00:00:00.5Z',
      ports: [{ PrivatePort: 53, Type: 'udp' }, published],
    },
    { id: 'bbbbbbbbbbbb', startedAt: '2026-01-01T00:00:01Z', ports: [{ PrivatePort: 3000, Type: 'tcp' }] },
    { id: 'cccccccccccc', startedAt: '2026-01-01T00:00:01Z', ports: [] },
  ]);
  await eventually(() => found.length === 2);
  expect(found).toEqual([
    { host: '127.0.0.1', port: 49_153, instance: 'aaaaaaaaaaaa', identity: 'aaaaaaaaaaaa-1767225600500' },
    { host: '172.17.0.2', port: 3000, instance: 'bbbbbbbbbbbb', identity: 'bbbbbbbbbbbb-1767225601000' },
  ]);
  expect(engine.asked).toContain('/containers/json {"label":["reg.service=tickets"],"status":["running"]}');

  engine.set([{ id: 'aaaaaaaaaaaa', startedAt: '2026-01-01T00:00:09Z', ports: [published] }]);
  await eventually(() => found.length === 1 && found[0]?.identity === 'aaaaaaaaaaaa-1767225609000');
  expect(troubles).toEqual([]);
  source.close();
});

test('an engine that is not there is said, and what was found stands', async () => {
  await using folder = await temporaryFolder();
  const troubles: (string | undefined)[] = [];
  const found: unknown[] = [];
  const socket = join(folder.path, 'none.sock');
  const source = followDocker(
    { label: 'x', socket },
    { found: (all) => found.push(all), trouble: (trouble) => troubles.push(trouble) },
  );
  await eventually(() => troubles.length > 0);
  expect(troubles[0]).toContain('ENOENT');
  expect(found).toEqual([]);
  source.close();
});
