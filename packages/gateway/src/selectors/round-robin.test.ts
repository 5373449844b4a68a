import { describe, expect, test } from 'vitest';
import { instanceOf } from '../gateway.fixture.ts';
import type { Choice } from '../routes/route.ts';
import { createConnectionPools } from '../upstreams/connection-pools.ts';
import { createUpstream } from '../upstreams/upstream.ts';
import { pickInstance } from './round-robin.ts';

const pools = createConnectionPools({ connectTimeoutMs: 1_000, idleMs: 1_000, upstreamNetworks: [] });

function choicesOf(...ids: string[]): Choice[] {
  return ids.flatMap((id) => {
    const upstream = createUpstream(instanceOf({ id, endpoints: ['http://127.0.0.1:1'] }), undefined, pools);
    return upstream.targets.map((target) => ({ upstream, target }));
  });
}

function idOf(choice: Choice | undefined): string | undefined {
  return choice?.upstream.instance.instanceId;
}

describe('round robin', () => {
  test('each gets its turn', () => {
    const choices = choicesOf('a', 'b', 'c');
    const rotation = { next: 0 };
    const picked = Array.from({ length: 7 }, () => idOf(pickInstance(choices, rotation, [], 0)));
    expect(picked).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a']);
  });

  test('one whose connection failed is passed over for a while, unless it is the last', () => {
    const choices = choicesOf('a', 'b');
    const [a, b] = choices.map(({ upstream }) => upstream);
    if (!a || !b) throw new Error('two were asked for');
    a.condition.avoidUntil = 1_000;
    const rotation = { next: 0 };
    expect(idOf(pickInstance(choices, rotation, [], 999))).toBe('b');
    expect(idOf(pickInstance(choices, rotation, [b], 999))).toBe('a');
    expect(idOf(pickInstance(choices, rotation, [], 1_000))).toBe('a');
  });

  test('none is tried twice for one request', () => {
    const choices = choicesOf('a', 'b');
    const tried = choices.map(({ upstream }) => upstream);
    expect(pickInstance(choices, { next: 5 }, tried, 0)).toBeUndefined();
    expect(pickInstance([], { next: 5 }, [], 0)).toBeUndefined();
  });
});
