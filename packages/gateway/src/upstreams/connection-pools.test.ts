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

test('of one origin, who waits longer for a connection has a pool of its own', () => {
  const pools = createConnectionPools({ connectTimeoutMs: 1_000, idleMs: 1_000, upstreamNetworks: [] });
  const usual = pools.acquire('http://127.0.0.1:1');
  const patient = pools.acquire('http://127.0.0.1:1', 60_000);
  expect(patient).not.toBe(usual);
  expect(pools.acquire('http://127.0.0.1:1', 1_000)).toBe(usual);
  pools.release(patient);
  expect(pools.acquire('http://127.0.0.1:1', 60_000)).not.toBe(patient);
  expect(pools.acquire('http://127.0.0.1:1')).toBe(usual);
});
