// `reg up` with sockets that somebody else opened: systemd's protocol, and ourselves in its place.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { reg } from '../../../tests/support/stack.ts';
import { temporaryFolder } from '../../../tests/support/temporary-folder.ts';

/** Listens, and takes nobody. */
async function socketAt(where: { readonly host: string } | { readonly path: string }): Promise<Server> {
  const server = createServer().listen('path' in where ? where : { ...where, port: 0 });
  await once(server, 'listening');
  return server;
}

const descriptorOf = (server: Server) => (server as unknown as { _handle: { fd: number } })._handle.fd;

/** The sockets become its descriptors 3, 4, …; LISTEN_PID is its own, since the shell becomes it. */
async function upWith(data: string, names: string, servers: readonly Server[], ...flags: string[]) {
  const words = [process.execPath, reg, 'up', '--json', '--data', data, ...flags];
  const child = spawn('sh', ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...words], {
    env: { PATH: process.env.PATH, LISTEN_FDS: String(servers.length), LISTEN_FDNAMES: names },
    stdio: ['ignore', 'pipe', 'pipe', ...servers.map(descriptorOf)],
  });
  for (const server of servers) server.close(); // its copy stays open
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const closed = once(child, 'close');
  const line = await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), closed]);
  return {
    running: child.exitCode === null ? JSON.parse(String(line[0])) : undefined,
    async end(): Promise<{ code: number; stderr: string }> {
      child.kill('SIGTERM');
      const [code] = await closed;
      return { code, stderr };
    },
  };
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

test('what waited in the queue of a socket before it ran is answered', async () => {
  await using folder = await temporaryFolder();
  const servers = [await socketAt({ host: '127.0.0.1' }), await socketAt({ host: '127.0.0.1' })];
  const [registry, gateway] = servers.map((server) => `http://127.0.0.1:${portOf(server)}`);
  const up = await upWith(folder.path, 'registry:gateway', servers);
  expect(up.running).toMatchObject({ registry, gateway });
  expect((await fetch(`${registry}/v1/health`)).status).toBe(200);
  expect((await fetch(`${gateway}/_reg/health`)).status).toBe(200);
  expect(await up.end()).toMatchObject({ code: 0 });
});

test.each([
  ['registry', ['--registry-only'], 1, /^invalid_request: host 0\.0\.0\.0 is no loopback address/m],
  ['gateway', ['--registry-port=0'], 2, /^error: --host 0\.0\.0\.0 is not loopback: .*--jwt-secret/m],
])('a socket %s beyond loopback needs credentials, as --host does', async (name, flags, code, line) => {
  await using folder = await temporaryFolder();
  const up = await upWith(folder.path, name, [await socketAt({ host: '0.0.0.0' })], ...flags);
  expect(up.running).toBeUndefined();
  expect(await up.end()).toEqual({ code, stderr: expect.stringMatching(line) });
});

test.each([
  ['nobody', [], /^error: systemd gave a socket nobody: /],
  ['gateway', ['--registry-only'], /^error: systemd gave a socket gateway, and no gateway runs here/],
  ['registry', ['--gateway-only'], /^error: systemd gave a socket registry, and no registry runs here/],
])('a socket %s that has no use is wrong usage: who connects there would wait', async (name, flags, line) => {
  await using folder = await temporaryFolder();
  const up = await upWith(folder.path, name, [await socketAt({ host: '127.0.0.1' })], ...flags);
  expect(await up.end()).toEqual({ code: 2, stderr: expect.stringMatching(line) });
});

test.each([
  ['registry', ['--registry-only']],
  ['gateway', ['--registry-port=0']],
])('a unix socket %s is refused', async (name, flags) => {
  await using folder = await temporaryFolder();
  const up = await upWith(
    folder.path,
    name,
    [await socketAt({ path: join(folder.path, 'socket') })],
    ...flags,
  );
  expect(await up.end()).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^invalid_request: .* no TCP socket/),
  });
});
