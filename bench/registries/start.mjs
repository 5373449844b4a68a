// The registries that are measured, started on the measured core, and what one says to register, renew and
// look up there: an instance is a document of the same size under a lease of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/free-port.mjs';
import { startServer } from '../support/processes.mjs';

const reg = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url));
const leaseSeconds = 600;
export const instancesPerService = 10;

const serviceOf = (index) => `service-${Math.floor(index / instancesPerService)}`;

/** One address per instance, none twice: 127.0.0.0/8 is large. */
function addressOf(index) {
  return `http://127.1.${(index >> 8) & 255}.${index & 255}:8080/`;
}

/** @typedef {{ method: string, path: string, body?: string }} Call */

/** The registry in memory: nothing of it is on disk. */
export async function startOurs() {
  const data = await mkdtemp(join(tmpdir(), 'reg-bench-'));
  const args = ['up', '--registry-only', '--registry-port=0', '--json', '--data', data];
  const server = await startServer([process.execPath, reg, ...args], { isMeasured: true, ready: /^\{/ });
  const generations = new Map();
  const instance = (index) => `/v1/services/${serviceOf(index)}/instances/instance-${index}`;
  return {
    name: 'reg, in memory',
    pid: server.pid,
    url: JSON.parse(server.line).registry,
    register: (index) => [
      { method: 'PUT', path: instance(index), body: JSON.stringify(registration(index)) },
    ],
    registered: (index, answer) => generations.set(index, JSON.parse(answer).generation),
    renew: (index) => [
      {
        method: 'PUT',
        path: `${instance(index)}/lease`,
        body: JSON.stringify({ generation: generations.get(index) }),
      },
    ],
    lookup: (index) => [{ method: 'GET', path: `/v1/services/${serviceOf(index)}` }],
    listedIn: (answer) => JSON.parse(answer).instances.length,
    async stop() {
      await server.stop();
      await rm(data, { recursive: true });
    },
  };
}

function registration(index) {
  return {
    url: `/${serviceOf(index)}`,
    endpoints: [{ type: 'http', url: addressOf(index) }],
    authorizedRoles: [],
    lease: { ttlMs: leaseSeconds * 1_000 },
    runId: 'bench',
  };
}

/** By its HTTP and JSON, which is its gRPC behind a translation in the same process. */
export async function startEtcd({ path, version }, { isDurable }) {
  const data = await mkdtemp(join(tmpdir(), 'etcd-bench-'));
  const [client, peer] = [await freePort(), await freePort()];
  const [url, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  const addresses = ['--listen-client-urls', url, '--advertise-client-urls', url];
  const peers = ['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl];
  const cluster = [
    '--initial-cluster',
    `default=${peerUrl}`,
    '--log-level',
    'info',
    '--log-outputs',
    'stdout',
  ];
  const durability = isDurable ? [] : ['--unsafe-no-fsync'];
  const server = await startServer(
    [path, '--data-dir', data, ...addresses, ...peers, ...cluster, ...durability],
    {
      isMeasured: true,
      ready: /ready to serve client requests/,
    },
  );
  const post = (operation, body) => ({
    method: 'POST',
    path: `/v3/${operation}`,
    body: JSON.stringify(body),
  });
  const key = (index) => base64(`/services/${serviceOf(index)}/instance-${index}`);
  const leaseOf = (index) => String(index + 1);
  return {
    name: `etcd ${version}, ${isDurable ? 'durable' : 'no fsync'}`,
    pid: server.pid,
    url,
    register: (index) => [
      post('lease/grant', { ID: leaseOf(index), TTL: String(leaseSeconds) }),
      post('kv/put', {
        key: key(index),
        value: base64(JSON.stringify(registration(index))),
        lease: leaseOf(index),
      }),
    ],
    registered: () => undefined,
    renew: (index) => [post('lease/keepalive', { ID: leaseOf(index) })],
    lookup: (index) => [
      post('kv/range', {
        key: base64(`/services/${serviceOf(index)}/`),
        range_end: base64(`/services/${serviceOf(index)}0`), // `0` follows `/`
      }),
    ],
    listedIn: (answer) => JSON.parse(answer).kvs.length,
    async stop() {
      await server.stop();
      await rm(data, { recursive: true });
    },
  };
}

function base64(text) {
  return Buffer.from(text).toString('base64');
}
