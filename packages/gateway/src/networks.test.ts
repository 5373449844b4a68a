// The gateway between its networks: where upstreams may be, and which proxies it believes.
import { expect, test } from 'vitest';
import { rawRequest, startGateway, startUpstream, type TestGateway } from './gateway.fixture.ts';

/** The header fields that the upstream saw. */
async function seenBy(gateway: TestGateway, ...fields: string[]): Promise<Record<string, string>> {
  const head = ['GET /tickets HTTP/1.1', 'Host: shop.example', 'Connection: close', ...fields];
  const { body } = await rawRequest(gateway.port, `${head.join('\r\n')}\r\n\r\n`);
  return JSON.parse(body) as Record<string, string>;
}

const echo = () => startUpstream((request, response) => response.end(JSON.stringify(request.headers)));

test('an upstream outside the networks is one that nobody reaches: the next one, or 502 and the reason in the log', async () => {
  await using upstream = await echo();
  await using gateway = await startGateway({ allowUpstreams: ['127.0.0.0/8'] });
  gateway.catalog.add(
    { url: '/tickets' },
    { endpoints: ['http://169.254.169.254'] },
    { endpoints: [upstream.url] },
  );
  gateway.catalog.add({ url: '/metadata' }, { endpoints: ['http://metadata.google.internal/latest'] });
  await gateway.follows();
  for (let round = 0; round < 4; round++) {
    expect((await fetch(`${gateway.url}/tickets`, { method: 'POST', body: 'x' })).status).toBe(200);
  }
  expect(gateway.log.map(({ failure }) => failure)).toContainEqual(
    expect.stringMatching('169.254.169.254 is cloud'),
  );
  const answer = await fetch(`${gateway.url}/metadata`);
  expect(await answer.json()).toMatchObject({ status: 502, code: 'upstream_unreachable' });
  expect(gateway.log.at(-1)).toMatchObject({
    failure: 'metadata.google.internal is cloud metadata: no upstream may be there',
  });
  expect(gateway.errors).toEqual([]);
});

test('a WebSocket is no way around', async () => {
  await using upstream = await echo();
  await using gateway = await startGateway({ allowUpstreams: ['10.0.0.0/8'] });
  gateway.catalog.add({ url: '/tickets' }, { endpoints: [upstream.url] });
  await gateway.follows();
  const fields = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  const head = ['GET /tickets HTTP/1.1', 'Host: a', ...fields, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='];
  const { status } = await rawRequest(gateway.port, `${head.join('\r\n')}\r\n\r\n`);
  expect(status).toBe(502);
  expect(gateway.log[0]?.failure).toMatch('127.0.0.1 is not in the networks');
});

test('a peer that is no trusted proxy says nothing of the client’s address', async () => {
  await using upstream = await echo();
  await using gateway = await startGateway({ trustedProxies: ['10.0.0.0/8', '::1'] });
  gateway.catalog.add({ url: '/tickets' }, { endpoints: [upstream.url] });
  await gateway.follows();
  const seen = await seenBy(
    gateway,
    'X-Forwarded-For: 192.0.2.7',
    'X-Real-IP: 192.0.2.7',
    'Forwarded: for=192.0.2.7',
  );
  expect(seen).toMatchObject({
    'x-forwarded-for': '127.0.0.1',
    forwarded: expect.stringMatching(/^for=127/),
  });
  expect(JSON.stringify(seen)).not.toContain('192.0.2.7');
  expect(gateway.log[0]?.client).toBe('127.0.0.1');
});

test('a trusted proxy’s word goes along, ours is added, and nothing else is excepted', async () => {
  await using upstream = await echo();
  await using gateway = await startGateway({ trustedProxies: ['127.0.0.0/8'] });
  gateway.catalog.add({ url: '/tickets' }, { endpoints: [upstream.url] });
  await gateway.follows();
  const proxy = [
    'X-Forwarded-For: 198.51.100.9, 192.0.2.7',
    'x-forwarded-proto: https',
    'X-Real-IP: 192.0.2.7',
  ];
  const forged = ['X_Forwarded_For: evil', 'X-Reg-Subject: evil', 'X-Client-IP: evil', 'X-Request-Id: evil'];
  const seen = await seenBy(gateway, ...proxy, ...forged, 'Connection: x-forwarded-for');
  expect(seen).toMatchObject({
    'x-forwarded-for': '198.51.100.9, 192.0.2.7, 127.0.0.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example',
    'x-real-ip': '192.0.2.7',
  });
  expect(JSON.stringify(seen)).not.toContain('evil');
  expect(gateway.log[0]?.client).toBe('192.0.2.7'); // left of it anybody may have written
});

test.each(['allowUpstreams', 'trustedProxies'])(
  'a mistyped network in %s stops the start',
  async (option) => {
    await expect(startGateway({ [option]: ['10.0.0.0/8', '10.0.0'] })).rejects.toThrow(
      '"10.0.0" is no network',
    );
  },
);
