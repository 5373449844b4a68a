import { describe, expect, test } from 'vitest';
import { seededRandom, seedsUpTo } from '../../../../tests/support/random.ts';
import { compileRoute, type Route } from './route.ts';
import { emptyRouteTable, type RouteTable } from './route-table.ts';

function routeAt(url: string): Route {
  return compileRoute({ name: url, url, authorizedRoles: [], access: 'public' }, [], { next: 0 });
}

function tableAt(...paths: string[]): RouteTable {
  return emptyRouteTable.with(new Map(paths.map((path) => [path, routeAt(path)])));
}

function foundIn(table: RouteTable, path: string): string | undefined {
  return table.find(path)?.definition.url;
}

describe('the route table', () => {
  test.each([
    ['/tickets', '/tickets'],
    ['/tickets/', '/tickets'],
    ['/tickets/1', '/tickets'],
    ['/ticketsx', undefined],
    ['/ticket', undefined],
    ['/Tickets', undefined],
    ['/tickets;v=1', undefined],
    ['//tickets', undefined],
    ['/tickets//1', '/tickets'],
    ['/tickets/archive', '/tickets/archive'],
    ['/tickets/archive/2020', '/tickets/archive'],
    ['/tickets/archived', '/tickets'],
    ['/', undefined],
  ])('%s is matched by %s', (path, expected) => {
    expect(foundIn(tableAt('/tickets', '/tickets/archive'), path)).toBe(expected);
  });

  test('the service at / gets what no other has', () => {
    const table = tableAt('/', '/tickets');
    expect(['/', '/x', '/tickets/1', '//'].map((path) => foundIn(table, path))).toEqual([
      '/',
      '/',
      '/tickets',
      '/',
    ]);
  });

  test('a change makes a new table and leaves the old one as it was', () => {
    const before = tableAt('/a', '/b');
    const after = before.with(
      new Map([
        ['/a', undefined],
        ['/c', routeAt('/c')],
      ]),
    );
    expect(['/a', '/b', '/c'].map((path) => foundIn(before, path))).toEqual(['/a', '/b', undefined]);
    expect(['/a', '/b', '/c'].map((path) => foundIn(after, path))).toEqual([undefined, '/b', '/c']);
    expect([before.size, after.size]).toEqual([2, 2]);
  });

  // Compared with the rule said naively: of all paths that are the request's, or a part of it that ends
  // where a segment ends, the longest.
  test.each(seedsUpTo(5))('seed %i: agrees with the naive rule, over random edits', (seed) => {
    const random = seededRandom(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    const randomPath = () => {
      const segments = Array.from({ length: 1 + below(5) }, () => ['a', 'b', 'ab', 'a.b', '%41'][below(5)]);
      return `/${segments.join('/')}`;
    };
    let table = emptyRouteTable;
    const known = new Set<string>();
    for (let step = 0; step < 300; step++) {
      const edits = new Map<string, Route | undefined>();
      for (let edit = below(4); edit >= 0; edit--) {
        const path = random() < 0.05 ? '/' : randomPath();
        const keeps = random() < 0.6;
        edits.set(path, keeps ? routeAt(path) : undefined);
        if (keeps) known.add(path);
        else known.delete(path);
      }
      table = table.with(edits);
      for (let ask = 0; ask < 20; ask++) {
        const path = random() < 0.2 ? `${randomPath()}/` : randomPath();
        const fitting = [...known].filter((one) => one === '/' || path === one || path.startsWith(`${one}/`));
        const longest = fitting.sort((one, other) => other.length - one.length)[0];
        expect(foundIn(table, path), `seed ${seed}, step ${step}, ${path}`).toBe(longest);
      }
      expect(table.size).toBe(known.size);
    }
  });

  test('100,000 services: each is found', () => {
    const paths = Array.from({ length: 100_000 }, (_, index) => `/api/v${index % 10}/service-${index}`);
    const table = tableAt(...paths);
    const wrong = paths.filter((path) => foundIn(table, `${path}/1`) !== path);
    expect(wrong).toEqual([]);
    expect(foundIn(table, '/api/v1/service-100001')).toBeUndefined();
  });
});
