import { expect, test } from 'vitest';
import { compileRoute } from '../routes/route.ts';
import { emptyRouteTable } from '../routes/route-table.ts';
import { nearMisses } from './near-misses.ts';

const routeAt = (url: string) =>
  compileRoute({ name: `of ${url}`, url, authorizedRoles: [], access: 'public' }, [], { next: 0 });

function tableOf(...urls: string[]) {
  return emptyRouteTable.with(new Map(urls.map((url) => [url, routeAt(url)])));
}

const table = tableOf('/tickets', '/tickets/archive', '/billing/invoices', '/a', '/b%C3%BC');

test.each<[path: string, ...misses: [url: string, why: string][]]>([
  ['/Tickets/1', ['/tickets', 'case']],
  ['/ticke%74s/1', ['/tickets', 'encoding']],
  ['/b%c3%bc', ['/b%C3%BC', 'case']],
  ['/tickets2', ['/tickets', 'boundary']],
  ['/tickest/7', ['/tickets', 'similar']],
  ['/ticket', ['/tickets', 'similar']],
  ['/billing', ['/billing/invoices', 'deeper']],
  ['/billing/', ['/billing/invoices', 'deeper']],
  ['/billing/refunds', ['/billing/invoices', 'sibling']],
  ['/tickets/archive/1', ['/tickets', 'shorter']],
  ['/b'],
  ['/nothing/like/it'],
  ['/%zz/%'],
  ['/'],
])('%s is nearly', async (path, ...misses) => {
  const found = await nearMisses(table.routes(), path, table.find(path));
  expect(found.map(({ url, why }) => [url, why])).toEqual(misses);
  expect(found.map(({ service }) => service)).toEqual(misses.map(([url]) => `of ${url}`));
});

test('at most five, the nearest kinds first, however many there are', async () => {
  const many = Array.from({ length: 5_000 }, (_, at) => `/shop/${at}`);
  const wide = tableOf(...many, '/Shop/x', '/shop');
  const found = await nearMisses(wide.routes(), '/shop/x', wide.find('/shop/x'));
  expect(found.map(({ url, why }) => [url, why])).toEqual([['/Shop/x', 'case']]);
  const lost = tableOf(...many, '/SHOP/x', '/shop/xy');
  const nearest = await nearMisses(lost.routes(), '/shop/x', lost.find('/shop/x'));
  expect(nearest).toHaveLength(5);
  expect(nearest[0]).toMatchObject({ url: '/SHOP/x', why: 'case' });
  expect(nearest.slice(1).every(({ why }) => why === 'similar')).toBe(true);
});
