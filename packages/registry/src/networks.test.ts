// Where endpoints may be: judged when they are registered, as far as an address is known by then.
import type { Endpoint } from '@reg/schema';
import { expect, test } from 'vitest';
import { bodyOf, nameOf, openRegistry, refusal } from './testing/open-registry.ts';

const one = nameOf('tickets', 'one');
const at = (...urls: string[]) =>
  bodyOf(one, { endpoints: urls.map((url): Endpoint => ({ type: 'http', url })) });

test('an address outside the networks is refused, naming each field, and changes nothing', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const position = registry.position();
  const body = at('http://127.0.0.1:3001', 'http://0xa9fea9fe/latest', 'http://[::ffff:8.8.8.8]:80');
  const error = registry.register(one, body);
  await expect(error).rejects.toMatchObject({
    code: 'invalid_request',
    errors: [
      { field: 'endpoints.1.url', message: '169.254.169.254 is cloud metadata: no upstream may be there' },
      { field: 'endpoints.2.url', message: '8.8.8.8 is not in the networks of --allow-upstreams' },
    ],
  });
  expect(registry.position()).toEqual(position);
});

test('the operator says which; names are for the gateway to judge', async () => {
  await using opened = openRegistry({ allowUpstreams: ['192.0.2.0/24', '0.0.0.0/0'] });
  const { registry } = opened;
  expect(await refusal(registry.register(one, at('http://192.0.2.7', 'http://any.name')))).toBe(undefined);
  expect(await refusal(registry.register(one, at('http://[::1]')))).toBe('invalid_request');
  expect(await refusal(registry.register(one, at('http://metadata.google.internal.')))).toBe(
    'invalid_request',
  );
});

test('a mistyped network stops the registry before it starts', () => {
  expect(() => openRegistry({ allowUpstreams: ['10.0.0.0/33'] })).toThrow('"10.0.0.0/33" is no network');
});
