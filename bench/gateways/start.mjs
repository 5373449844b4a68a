// Every gateway that is measured, started in front of one upstream: `/open` for all, `/secured` for a token.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from '../support/processes.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const reg = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url));

/** The one of ours whose registry is a process of its own. */
export const remote = 'reg, registry remote';

/** @returns {Promise<{ url: string, stop: () => Promise<void> }>} */
export async function startUpstream() {
  const server = await startServer(['node', `${here}upstream.mjs`], { isMeasured: false, ready: /^http/ });
  return { url: server.line, stop: server.stop };
}

/**
 * @typedef {{ name: string, url: string, pid: number, stop: () => Promise<void> }} Gateway
 * @param {{ upstream: string, secret: string }} options @returns {Promise<Gateway[]>} ours first
 */
export async function startGateways({ upstream, secret }) {
  const peerEnv = { UPSTREAM: upstream, JWT_SECRET: secret };
  return [
    await startOurs('reg', { upstream, secret, isSplit: false }),
    await startOurs(remote, { upstream, secret, isSplit: true }),
    await startPeer('@fastify/http-proxy', 'fastify.mjs', peerEnv),
    await startPeer('express', 'express.mjs', peerEnv),
  ];
}

async function startPeer(name, file, env) {
  const server = await startServer(['node', here + file], { isMeasured: true, ready: /^http/, env });
  return { name, url: server.line, pid: server.pid, stop: server.stop };
}

/** As shipped: `reg up`, its access log in JSON. Split: the gateway of a registry that is a process of its own. */
export async function startOurs(name, { upstream, secret, isSplit }) {
  const data = await mkdtemp(join(tmpdir(), 'reg-bench-'));
  const up = (isMeasured, ...args) =>
    startServer([process.execPath, reg, 'up', '--json', '--data', data, ...args], {
      isMeasured,
      ready: /^\{/,
      env: { REG_JWT_SECRET: secret },
    });
  const anyPort = ['--gateway-port=0', '--registry-port=0'];
  const remote = isSplit ? await up(false, '--registry-only', '--registry-port=0') : undefined;
  const remoteUrl = remote && JSON.parse(remote.line).registry;
  const server = await (remote
    ? up(true, '--gateway-only', '--gateway-port=0', `--registry=${remoteUrl}`)
    : up(true, ...anyPort));
  const { gateway, registry = remoteUrl } = JSON.parse(server.line);
  await registerAt(registry, { name: 'open', authorizedRoles: [], access: 'public' }, upstream);
  await registerAt(registry, { name: 'secured', authorizedRoles: ['tickets-query'] }, upstream);
  return {
    name,
    url: gateway,
    registry,
    pid: server.pid,
    async stop() {
      await server.stop();
      await remote?.stop();
      await rm(data, { recursive: true });
    },
  };
}

/** Without a lease, so that nobody has to renew it while something is measured. */
async function registerAt(registry, service, upstream) {
  const { name } = service;
  const url = `${registry}/v1/services/${name}/instances/bench?waitFor=gateways&wait=10s`;
  const response = await fetch(url, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      ...service,
      url: `/${name}`,
      endpoints: [{ type: 'http', url: `${upstream}/${name}` }],
      lease: 'none',
      runId: 'bench',
    }),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status} ${await response.text()}`);
}
