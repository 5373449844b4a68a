// Public paths that nearly are the one asked for. Most wrong requests are a letter away from a right one.
import { setImmediate } from 'node:timers/promises';
import type { NearMiss } from '@reg/schema';
import type { Route } from '../routes/route.ts';

const maxMisses = 5;

/** Edits (a letter more, fewer, other, or two that changed places) that count as a slip. */
const maxSlips = 2;

/** The nearest kind first. */
const kinds: readonly NearMiss['why'][] = [
  'case',
  'encoding',
  'boundary',
  'similar',
  'shorter',
  'deeper',
  'sibling',
];

/** The table may hold 100,000 of them, and requests wait meanwhile. */
const lookedAtOnce = 2_000;

/** What is compared with each public path, made once. */
interface Asked {
  readonly path: string;
  readonly lower: string;
  readonly plain: string;
  /** A route has it. */
  readonly matched: boolean;
}

/** @param path of the request, without its query @param matched the route that it has, if any */
export async function nearMisses(
  routes: Iterable<Route>,
  path: string,
  matched: Route | undefined,
): Promise<NearMiss[]> {
  const asked = { path, lower: path.toLowerCase(), plain: decoded(path), matched: matched !== undefined };
  const misses: NearMiss[] = [];
  let looked = 0;
  for (const { definition } of routes) {
    const { url, name: service } = definition;
    if (url === matched?.definition.url) continue;
    const found = missOf(url, asked);
    if (found) misses.push({ service, url, ...found });
    if (misses.length > maxMisses * 2) misses.sort(byNearness).splice(maxMisses);
    if (++looked % lookedAtOnce === 0) await setImmediate();
  }
  return misses.sort(byNearness).slice(0, maxMisses);
}

/** One reason per branch. Where a route matched, only another match, or one that a slip hid, is of interest. */
function missOf(url: string, asked: Asked): Pick<NearMiss, 'why' | 'text'> | undefined {
  const { path, lower, plain, matched } = asked;
  if (covers(url, path)) return { why: 'shorter', text: 'it matches too, and the longest path wins' };
  if (covers(url.toLowerCase(), lower)) {
    return { why: 'case', text: 'upper and lower case are told apart' };
  }
  if (covers(decoded(url), plain)) {
    return { why: 'encoding', text: 'paths are compared as they are sent, not decoded' };
  }
  if (matched) return undefined;
  if (path.startsWith(url)) return { why: 'boundary', text: `it goes on with / only, as in ${url}/…` };
  const depth = segmentsOf(url).length;
  const head = `/${segmentsOf(path).slice(0, depth).join('/')}`;
  if (isSlip(url, head)) return { why: 'similar', text: 'it is spelled nearly so' };
  if (path !== '/' && covers(path.replace(/\/$/, ''), url)) {
    return { why: 'deeper', text: 'it begins with the path asked for, and is longer' };
  }
  if (depth > 1 && parentOf(url) === parentOf(head)) {
    return { why: 'sibling', text: 'it stands beside the path asked for' };
  }
  return undefined;
}

/** As the route table has it: the same, or continued at a slash. */
function covers(url: string, path: string): boolean {
  return url === '/' || path === url || path.startsWith(`${url}/`);
}

function byNearness(a: NearMiss, b: NearMiss): number {
  return (
    kinds.indexOf(a.why) - kinds.indexOf(b.why) || b.url.length - a.url.length || a.url.localeCompare(b.url)
  );
}

function segmentsOf(path: string): string[] {
  return path.split('/').slice(1);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function decoded(path: string): string {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // percent-encoded, but no UTF-8: then it stands for itself
  }
}

/** Short paths have fewer letters to be wrong in: `/a` is no slip of `/b`. */
function isSlip(url: string, head: string): boolean {
  const allowed = Math.min(maxSlips, Math.floor((url.length - 1) / 3));
  if (Math.abs(url.length - head.length) > allowed) return false;
  return slipsBetween(url, head, allowed) <= allowed;
}

/** Optimal string alignment distance, row by row; a number above `most` where it is no less. */
function slipsBetween(a: string, b: string, most: number): number {
  let twoBack: number[] = [];
  let back = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const now = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let least = Math.min(
        (back[column] ?? 0) + 1,
        (now[column - 1] ?? 0) + 1,
        (back[column - 1] ?? 0) + Number(!same),
      );
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && swapped) least = Math.min(least, (twoBack[column - 2] ?? 0) + 1);
      now.push(least);
    }
    if (Math.min(...now) > most && Math.min(...back) > most) return most + 1; // it grows from here
    twoBack = back;
    back = now;
  }
  return back[b.length] ?? 0;
}
