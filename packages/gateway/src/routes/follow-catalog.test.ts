import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalog } from '@reg/schema';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { startGateway, startUpstream, testCatalog } from '../gateway.fixture.ts';
import { pauseMs } from './follow-catalog.ts';

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'reg-gateway-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

const okUpstream = () => startUpstream((_request, response) => response.end('ok'));

describe('following the catalog', () => {
  test('pauses are 0.1 to 5 s and grow', () => {
    expect([pauseMs(0, 0), pauseMs(0, 1), pauseMs(3, 1), pauseMs(60, 1), pauseMs(60, 0)]).toEqual([
      100, 200, 1_600, 5_000, 100,
    ]);
  });

  test('while the registry is away the last view serves, and health says so; then it follows on', async () => {
    await using upstream = await okUpstream();
    await using one = await startGateway();
    one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
    await one.follows();
    expect(one.gateway.health()).toMatchObject({ ready: { ok: true }, stale: false, reasons: [], routes: 1 });
    one.catalog.away = true;
    await eventually(() => one.gateway.health().stale);
    expect(one.gateway.health().reasons.join()).toMatch(/registry is away: nobody answers/);
    expect((await fetch(`${one.url}/x`)).status).toBe(200);
    one.catalog.away = false;
    one.catalog.add({ url: '/y' }, { endpoints: [upstream.url] });
    await one.follows();
    expect(one.gateway.health()).toMatchObject({ stale: false, routes: 2 });
    expect((await fetch(`${one.url}/y`)).status).toBe(200);
  });

  test('a watch that is open over a store that is away: stale, with the reason of the store', async () => {
    const catalog = testCatalog();
    let fault: ReturnType<NonNullable<Catalog['fault']>>;
    catalog.fault = () => fault;
    await using one = await startGateway({ catalog });
    await one.follows();
    expect(one.gateway.health()).toMatchObject({ stale: false, reasons: [] });
    fault = { text: 'the database does not answer', since: 1_200 };
    expect(one.gateway.health()).toMatchObject({
      stale: true,
      ready: {
        ok: true,
        reasons: [
          { code: 'stale_view', text: `the store of the registry is away: ${fault.text}`, since: 1_200 },
        ],
      },
    });
    fault = undefined;
    expect(one.gateway.health()).toMatchObject({ stale: false, reasons: [] });
  });

  test('a new epoch: what it does not know yet goes on for one lease period, marked stale', async () => {
    let time = 1_000_000;
    await using upstream = await okUpstream();
    await using one = await startGateway({ now: () => time });
    one.catalog.add({ url: '/x' }, { lease: { ttlMs: 1_000 }, endpoints: [upstream.url] });
    await one.follows();
    one.catalog.restart('two');
    await one.follows();
    expect((await fetch(`${one.url}/x`)).status).toBe(200);
    expect(one.gateway.health()).toMatchObject({ stale: true, position: { epoch: 'two' } });
    time += 1_001;
    await eventually(async () => (await fetch(`${one.url}/x`)).status === 404);
    expect(one.gateway.health()).toMatchObject({ stale: false, routes: 0 });
  });
});

describe('the kept snapshot', () => {
  test('a gateway that starts while the registry is away serves what it knew', async () => {
    await using folder = await temporaryFolder();
    const dataFile = join(folder.path, 'snapshot.json');
    await using upstream = await okUpstream();
    {
      await using one = await startGateway({ dataFile });
      one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
      await one.follows();
    }
    expect(await readdir(folder.path)).toEqual(['snapshot.json']);
    const catalog = testCatalog();
    catalog.away = true;
    await using two = await startGateway({ dataFile, catalog });
    await two.gateway.ready();
    expect((await fetch(`${two.url}/x`)).status).toBe(200);
    expect(two.gateway.health()).toMatchObject({ ready: { ok: true }, stale: true });
  });

  test('one that is damaged is told and left: the gateway waits for the registry', async () => {
    await using folder = await temporaryFolder();
    const dataFile = join(folder.path, 'snapshot.json');
    await writeFile(dataFile, '{"epoch":"one","rev');
    await using one = await startGateway({ dataFile });
    await one.follows();
    expect(one.errors).toEqual([
      expect.objectContaining({ message: expect.stringContaining('not readable') }),
    ]);
    await one.gateway.close();
    expect(JSON.parse(await readFile(dataFile, 'utf8'))).toMatchObject({ epoch: 'one', services: [] });
  });
});
