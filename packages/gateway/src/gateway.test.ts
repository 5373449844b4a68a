import { describe, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startGateway, startUpstream, tokenOf } from './gateway.fixture.ts';

describe('the request path', () => {
  test('a request is authenticated, authorized and forwarded; the answer comes back', async () => {
    await using upstream = await startUpstream((request, response) => {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ url: request.url, subject: request.headers['x-reg-subject'] }));
    });
    await using one = await startGateway();
    one.catalog.add(
      { url: '/tickets', access: 'token', authorizedRoles: ['tickets-query'] },
      { endpoints: [`${upstream.url}/api/tickets`] },
    );
    await one.gateway.ready();
    const ask = (token?: string) =>
      fetch(`${one.url}/tickets/1?sort=asc`, { headers: token ? { Authorization: `Bearer ${token}` } : {} });
    const found = await eventually(
      () => ask(),
      ({ status }) => status === 401,
    );
    expect(found.headers.get('www-authenticate')).toBe('Bearer realm="reg"');
    expect((await ask(tokenOf('ann', ['other']))).status).toBe(403);
    const good = await ask(tokenOf('ann', ['tickets-query']));
    expect(good.status).toBe(200);
    expect(await good.json()).toEqual({ url: '/api/tickets/1?sort=asc', subject: 'ann' });
  });
});
