import { expect, test } from 'vitest';
import { canonicalAddress, hostnameOf, instanceIdOf } from './address.ts';

test('two spellings of one address are one address', () => {
  for (const spelling of ['http://host:80/a/', 'HTTP://HOST/a', 'http://host/a']) {
    expect(canonicalAddress(spelling)).toBe('http://host/a');
  }
});

test('an address is read the same however many others were read meanwhile', () => {
  const url = 'http://[::1]:3001/a/';
  for (let round = 0; round < 2; round++) {
    for (let port = 1; port <= 1_500; port++)
      expect(hostnameOf(`HTTP://Host-${port}:${port}`)).toBe(`host-${port}`);
    expect(canonicalAddress(url)).toBe('http://[::1]:3001/a');
    expect(hostnameOf(url)).toBe('[::1]');
  }
  expect(() => canonicalAddress('no url')).toThrow(TypeError);
});

test.each([
  ['http://127.0.0.1:3001/tickets', '127.0.0.1-3001'],
  ['https://tickets.internal/', 'tickets.internal-443'],
  ['http://[::1]:3001', '::1-3001'],
  ['amqp://broker/queue', 'broker-5672'],
])('the default instance id of %s is %s', (url, id) => {
  expect(instanceIdOf(url)).toBe(id);
});
