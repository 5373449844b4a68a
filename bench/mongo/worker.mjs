// A process that does what it is told over IPC: one has a registry over a store, with its HTTP API and a gateway;
// one loops over the database bare. Times that leave it are milliseconds since 1970, with fractions.
import { createGateway, createTokenVerifier } from '@reg/gateway';
import { createMemoryStore, createRegistry } from '@reg/registry';
import { createRegistryServer } from '@reg/registry/http';
import { addressOf, idOf, inLanes, registrationOf, serviceOf } from './instances.mjs';

const now = () => performance.timeOrigin + performance.now();
let registry;
let bare;
let generations = new Map();
const ends = [];
/** When this gateway's table held a revision, in order. */
const applied = [];
/** When a document was seen by the driver's own change stream. */
const seen = new Map();

async function register(index, leaseSeconds) {
  const name = { service: serviceOf(index), id: idOf(index) };
  const answer = await registry.register(name, registrationOf(index, leaseSeconds));
  generations.set(index, answer.generation);
  return answer;
}

async function bareClient(url) {
  const { mongo } = await import('mongoose');
  const client = new mongo.MongoClient(url, { writeConcern: { w: 'majority', journal: true } });
  await client.connect();
  ends.push(() => client.close(true));
  return client;
}

const tasks = {
  /** @returns how long until everything was known, and where it is reached */
  async open({ url }) {
    const openStore = url ? (await import('@reg/store-mongo')).openMongoStore : createMemoryStore;
    const began = performance.now();
    const store = await openStore(url ? { url } : {});
    const readyMs = performance.now() - began;
    registry = createRegistry({ store });
    const server = await createRegistryServer({ registry, port: 0 });
    ends.push(
      () => server.close(),
      () => registry.close(),
    );
    return { readyMs, instances: registry.health().instances, registry: server.url };
  },
  async openGateway() {
    const catalog = registry.catalog(`gateway-${process.pid}`);
    const tokens = createTokenVerifier({ secret: 'a secret of the benches, of 32 bytes and more' });
    const noteApplied = (position) => {
      applied.push({ revision: position.revision, at: now() });
      return catalog.applied(position);
    };
    const gateway = createGateway({ catalog: { ...catalog, applied: noteApplied }, tokens });
    ends.unshift(() => gateway.close());
    const { url } = await gateway.listen({ host: '127.0.0.1', port: 0 });
    await gateway.ready();
    return url;
  },
  /** Behind the gateway, without a token. */
  async registerUpstream({ upstream }) {
    const endpoints = [{ type: 'http', url: `${upstream}/open` }];
    const body = { url: '/open', endpoints, authorizedRoles: [], access: 'public', lease: 'none' };
    await registry.register({ service: 'open', id: 'bench' }, body);
  },
  async registerFor({ first, lanes, seconds }) {
    const until = performance.now() + seconds * 1_000;
    const began = performance.now();
    const count = await inLanes(
      lanes,
      () => performance.now() > until,
      (index) => register(first + index),
    );
    return { count, perSecond: (count * 1_000) / (performance.now() - began) };
  },
  async registerAll({ first, count, lanes, leaseSeconds }) {
    await inLanes(
      lanes,
      (done) => done === count,
      (index) => register(first + index, leaseSeconds),
    );
  },
  /** So many a second, each begun on time. @returns what became of each */
  async registerSteadily({ first, count, perSecond }) {
    const work = [];
    const start = performance.now();
    for (let index = first; index < first + count; index++) {
      const dueMs = start + ((index - first) * 1_000) / perSecond - performance.now();
      if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
      const begunAt = now();
      const one = register(index).then(({ revision }) => ({
        id: idOf(index),
        revision,
        begunAt,
        answeredAt: now(),
      }));
      work.push(one);
    }
    return Promise.all(work);
  },
  /** Every lease that this one registered, each once in `everyMs`. */
  async renewFor({ everyMs, seconds }) {
    const all = [...generations].map(([index, generation]) => {
      return { service: serviceOf(index), id: idOf(index), generation };
    });
    const parts = everyMs / 20;
    const share = Math.ceil(all.length / parts);
    const start = performance.now();
    let renewed = 0;
    for (let turn = 0; turn < (seconds * 1_000) / 20; turn++) {
      const dueMs = start + turn * 20 - performance.now();
      if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
      const from = (turn % parts) * share;
      const { results } = await registry.renewMany(all.slice(from, from + share));
      const failed = results.find((result) => 'code' in result);
      if (failed) throw new Error(JSON.stringify(failed));
      renewed += results.length;
    }
    return { renewed, perSecond: (renewed * 1_000) / (performance.now() - start) };
  },
  applied: () => applied,
  seen: () => [...seen],
  /** The driver's own stream of the same documents. */
  async watch({ url }) {
    const stream = (await bareClient(url)).db().collection('services').watch();
    ends.unshift(() => stream.close());
    stream.on('change', (event) => seen.set(event.fullDocument?.reg?.id, now()));
    stream.on('error', (error) => {
      throw error;
    });
    await new Promise((resolve) => stream.once('resumeTokenChanged', resolve));
  },
  async openBare({ url }) {
    bare = await bareClient(url);
  },
  /** What a program without batches gets out of it: each upsert awaited until the majority has it. */
  async upsertFor({ first, lanes, seconds }) {
    const services = bare.db().collection('services');
    const until = performance.now() + seconds * 1_000;
    const began = performance.now();
    const count = await inLanes(
      lanes,
      () => performance.now() > until,
      async (index) => {
        const number = first + index;
        const { url, endpoints, authorizedRoles, ...reg } = registrationOf(number);
        const document = { name: serviceOf(number), url, endpoints, authorizedRoles, reg };
        await services.updateOne({ _id: addressOf(number) }, { $set: document }, { upsert: true });
      },
    );
    return { count, perSecond: (count * 1_000) / (performance.now() - began) };
  },
  /** After a collection: needs `--expose-gc`. */
  async memory() {
    generations = new Map();
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 200));
    globalThis.gc();
    const { rss, heapUsed } = process.memoryUsage();
    return { rssBytes: rss, heapBytes: heapUsed };
  },
  /** All that it opened: nothing of it is left at the database. */
  async close() {
    for (const end of ends.splice(0)) await end();
  },
  async end() {
    await tasks.close();
    process.disconnect();
  },
};

process.on('message', async ({ number, task, options }) => {
  try {
    const result = await tasks[task](options ?? {});
    if (process.connected) process.send({ number, result });
  } catch (error) {
    process.send({ number, error: error.stack });
  }
});
