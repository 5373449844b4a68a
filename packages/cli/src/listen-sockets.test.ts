import { expect, test } from 'vitest';
import { takeListenSockets } from './listen-sockets.ts';

const given = (fields: Record<string, string>) => ({ LISTEN_PID: '7', ...fields });

test('by their names, from descriptor 3 on; and nobody after us sees them', () => {
  const environment = given({ LISTEN_FDS: '2', LISTEN_FDNAMES: 'registry:gateway', PATH: '/bin' });
  expect(takeListenSockets(environment, 7)).toEqual({ registry: 3, gateway: 4 });
  expect(environment).toEqual({ PATH: '/bin' });
});

test('those of another process are not ours, and without any there are none', () => {
  expect(takeListenSockets(given({ LISTEN_FDS: '1', LISTEN_FDNAMES: 'gateway' }), 8)).toEqual({});
  expect(takeListenSockets({}, 7)).toEqual({});
  expect(takeListenSockets(given({ LISTEN_FDS: '0' }), 7)).toEqual({});
});

test.each([
  ['1', 'reg.socket', /a socket reg.socket: /],
  ['1', '', /a socket without a name: /],
  ['2', 'gateway', /a socket without a name: /],
  ['2', 'gateway:gateway', /a socket gateway, the second of this name: /],
])('%s sockets named %j are refused: somebody would connect and wait', (count, names, message) => {
  const environment = given({ LISTEN_FDS: count, LISTEN_FDNAMES: names });
  expect(() => takeListenSockets(environment, 7)).toThrow(message);
});
