// Live and ready apart, and what a load balancer that reaches no other port is told.
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startGateway, startUpstream, testCatalog } from './gateway.fixture.ts';

const probe = async (url: string, query = '') => {
  const response = await fetch(`${url}/_reg/health${query}`);
  return [response.status, (await response.json()) as Record<string, unknown>] as const;
};

test('before the first snapshot it lives and is not ready', async () => {
  const catalog = testCatalog();
  catalog.away = true;
  await using one = await startGateway({ catalog });
  await eventually(() => one.gateway.health().reasons.join().includes('nobody answers'));
  expect(one.gateway.health()).toMatchObject({
    status: 'degraded',
    live: { ok: true, reasons: [] },
    ready: { ok: false, reasons: [{ code: 'no_catalog', since: expect.any(Number) }] },
    stale: false,
    routes: 0,
  });
  const [status, problem] = await probe(one.url);
  expect([status, problem.code]).toEqual([503, 'not_ready']);
  expect(problem.detail).not.toContain('nobody answers'); // callers need not know what is behind
  expect(await probe(one.url, '?check=live')).toEqual([200, { live: true, ready: false }]);
  catalog.away = false;
  await one.gateway.ready();
  expect(await probe(one.url)).toEqual([200, { live: true, ready: true }]);
});

test('while the registry is away it is ready, and says since when its view is stale', async () => {
  let time = 1_000_000;
  let asked = 0;
  const catalog = testCatalog();
  const { changes } = catalog;
  const counted: typeof changes = (...question) => {
    asked++;
    return changes(...question);
  };
  await using one = await startGateway({
    now: () => time,
    catalog: Object.assign(catalog, { changes: counted }),
  });
  await one.follows();
  expect(one.gateway.health()).toMatchObject({ status: 'ok', ready: { ok: true, reasons: [] } });
  time += 5_000;
  one.catalog.away = true;
  await eventually(() => one.gateway.health().stale);
  const [reason] = one.gateway.health().ready.reasons;
  expect(reason).toMatchObject({ code: 'stale_view', since: 1_005_000 });
  time += 60_000;
  const before = asked;
  await eventually(() => asked > before + 1); // so it failed once more
  expect(one.gateway.health().ready.reasons).toMatchObject([{ code: 'stale_view', since: 1_005_000 }]);
  expect(await probe(one.url)).toEqual([200, { live: true, ready: true }]);
  one.catalog.away = false;
  one.catalog.add({ url: '/y' });
  await one.follows();
  await eventually(() => one.gateway.health().status === 'ok');
});

test('closing, it says so first, while it finishes what it has', async () => {
  let finish = () => {};
  await using upstream = await startUpstream((_request, response) => {
    finish = () => response.end(', done');
    response.write('begun');
  });
  await using one = await startGateway();
  one.catalog.add({ url: '/slow' }, { endpoints: [upstream.url] });
  await one.follows();
  const slow = await fetch(`${one.url}/slow`);
  const closed = one.gateway.close();
  expect(one.gateway.health()).toMatchObject({
    live: { ok: true },
    ready: { ok: false, reasons: [{ code: 'closing', since: expect.any(Number) }] },
  });
  finish();
  expect(await slow.text()).toBe('begun, done');
  await closed;
});

test('only health is answered below /_reg, and only to who reads', async () => {
  await using one = await startGateway();
  one.catalog.add({ url: '/' }, { endpoints: ['http://127.0.0.1:1'] });
  await one.follows();
  const head = await fetch(`${one.url}/_reg/health`, { method: 'HEAD' });
  expect([head.status, await head.text(), head.headers.get('cache-control')]).toEqual([200, '', 'no-store']);
  const posted = await fetch(`${one.url}/_reg/health`, { method: 'POST' });
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  expect((await fetch(`${one.url}/_reg/health?check=dead`)).status).toBe(400);
  for (const path of ['/_reg', '/_reg/', '/_reg/health/', '/_reg/healthy'])
    expect((await fetch(one.url + path)).status).toBe(404);
});
