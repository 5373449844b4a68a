import { expect, test } from 'vitest';
import { createConnectionPools } from './connection-pools.ts';

test('one pool per origin, for as long as somebody uses it', () => {
  const pools = createConnectionPools({ connectTimeoutMs: 1_000, idleMs: 1_000, upstreamNetworks: [] });
  const first = pools.acquire('http://127.0.0.1:1');
  expect(pools.acquire('http://127.0.0.1:1')).toBe(first);
  expect(pools.acquire('http://127.0.0.1:2')).not.toBe(first);
  pools.release(first);
  expect(pools.acquire('http://127.0.0.1:1')).toBe(first);
  pools.release(first);
  pools.release(first);
  expect(pools.acquire('http://127.0.0.1:1')).not.toBe(first);
});
