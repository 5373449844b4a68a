// Every connection to an upstream, on real sockets; only the resolver is given, so that names may lie.
import type dns from 'node:dns';
import { parseNetworks } from '@reg/schema/networks';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { startRawUpstream } from '../gateway.fixture.ts';
import { connectTo } from './connection.ts';
import type { LookupAll } from './connector.ts';

const loopback = ['127.0.0.0/8', '::1'];

/** A name's addresses, one list per question, the last one for good: how rebinding looks. */
function resolver(...answers: readonly (readonly string[])[]): LookupAll & { questions: number } {
  const lookup = (_name: string, _options: dns.LookupAllOptions, callback: Parameters<LookupAll>[2]) => {
    const addresses = answers[Math.min(lookup.questions++, answers.length - 1)] ?? [];
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  lookup.questions = 0;
  return lookup;
}

/** `open`, or why not. */
function connecting(origin: string, allowed: readonly string[], lookup?: LookupAll): Promise<string> {
  const rules = { connectTimeoutMs: 2_000, idleMs: 1_000, upstreamNetworks: parseNetworks(allowed), lookup };
  return new Promise((resolve) => {
    connectTo(origin, rules, (error, socket) => {
      resolve(error ? error.message : `open ${socket.remoteAddress}`);
      socket?.destroy();
    });
  });
}

test('a literal address is judged before a byte leaves, whatever is allowed', async () => {
  await using upstream = await startRawUpstream(() => undefined);
  expect(await connecting(upstream.url, loopback)).toBe('open 127.0.0.1');
  expect(await connecting(upstream.url, ['10.0.0.0/8'])).toMatch('127.0.0.1 is not in the networks');
  expect(await connecting(`http://[::ffff:127.0.0.1]:${upstream.port}`, ['10.0.0.0/8'])).toMatch(
    '127.0.0.1 is',
  );
  expect(await connecting(`http://0:${upstream.port}`, ['0.0.0.0/0'])).toMatch('0.0.0.0 is unspecified');
  expect(await connecting(`http://[::]:${upstream.port}`, ['::/0'])).toMatch('unspecified');
  expect(await connecting('https://169.254.169.254', ['0.0.0.0/0'])).toMatch('cloud metadata');
  await eventually(
    () => upstream.connections,
    (connections) => connections === 1,
  );
});

test('the system’s own resolver is under the same rule', async () => {
  await using upstream = await startRawUpstream(() => undefined);
  expect(await connecting(`http://localhost:${upstream.port}`, ['127.0.0.0/8'])).toBe('open 127.0.0.1');
  expect(await connecting(`http://localhost:${upstream.port}`, ['10.0.0.0/8'])).toMatch(
    /^localhost: .* is not in the networks/,
  );
  await eventually(
    () => upstream.connections,
    (connections) => connections === 1,
  );
});

test('of a name with allowed addresses and others, only the allowed are used', async () => {
  await using upstream = await startRawUpstream(() => undefined);
  const lookup = resolver(['169.254.169.254', '0.0.0.0', '::ffff:169.254.169.254', '127.0.0.1']);
  expect(await connecting(`http://tickets.test:${upstream.port}`, ['0.0.0.0/0'], lookup)).toBe(
    'open 127.0.0.1',
  );
  await eventually(
    () => upstream.connections,
    (connections) => connections === 1,
  );
});

test('nobody connects to the other addresses, not even where no allowed one answers', async () => {
  await using upstream = await startRawUpstream(() => undefined);
  const lookup = resolver(['127.0.0.1', '127.0.0.2']);
  const url = `http://tickets.test:${upstream.port}`;
  expect(await connecting(url, ['127.0.0.2'], lookup)).toMatch('ECONNREFUSED 127.0.0.2');
  expect(await connecting(url, ['127.0.0.1'], lookup)).toBe('open 127.0.0.1');
  await eventually(
    () => upstream.connections,
    (connections) => connections === 1,
  );
});

test('a name that stood for an allowed address and now does not is refused: each connection asks', async () => {
  await using upstream = await startRawUpstream(() => undefined);
  const lookup = resolver(
    ['127.0.0.1'],
    ['169.254.169.254'],
    ['fe80::1%eth0'],
    ['127.0.0.1', 'nonsense'],
    [],
  );
  const url = `http://tickets.test:${upstream.port}`;
  expect(await connecting(url, loopback, lookup)).toBe('open 127.0.0.1');
  expect(await connecting(url, loopback, lookup)).toBe(
    'tickets.test: 169.254.169.254 is cloud metadata: no upstream may be there',
  );
  expect(await connecting(url, loopback, lookup)).toMatch('is link-local');
  expect(await connecting(url, loopback, lookup)).toBe('open 127.0.0.1');
  expect(await connecting(url, loopback, lookup)).toBe('tickets.test: it has no address');
  expect(lookup.questions).toBe(5);
});

test('by TLS too', async () => {
  const lookup = resolver(['100.100.100.200']);
  expect(await connecting('https://tickets.test', ['0.0.0.0/0'], lookup)).toMatch('is cloud metadata');
});
