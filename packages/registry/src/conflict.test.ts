// What instances of one service share, and what belongs to others: names, paths, addresses.
import type { RegistrationBody } from '@reg/schema';
import { expect, test } from 'vitest';
import { bodyOf, kindsAfter, nameOf, openRegistry, refusal } from './testing/open-registry.ts';

const one = nameOf('tickets', 'one');
const two = nameOf('tickets', 'two');

test.each<[string, Partial<RegistrationBody>, string[]]>([
  ['url', { url: '/other' }, ['url']],
  ['roles', { authorizedRoles: ['writer'] }, ['authorizedRoles']],
  ['any of the roles instead of all', { authorizedRoles: { anyOf: ['reader'] } }, ['authorizedRoles']],
  ['access and roles', { access: 'public', authorizedRoles: [] }, ['authorizedRoles', 'access']],
])(
  'a second instance that disagrees on %s is refused, naming the fields; with redefine it changes all',
  async (_, more, fields) => {
    await using opened = openRegistry();
    const { registry } = opened;
    await registry.register(one, bodyOf(one));
    const position = registry.position();
    const refused = registry.register(two, bodyOf(two, more));
    await expect(refused).rejects.toMatchObject({
      code: 'registration_conflict',
      errors: fields.map((field) => ({ field })),
    });
    expect(registry.position()).toEqual(position);
    await registry.register(two, bodyOf(two, { ...more, redefine: true }));
    expect(registry.getService('tickets')).toMatchObject({ ...more, instances: [{}, {}] });
  },
);

test('the order and repetition of roles is no conflict, nor is another spelling of the path', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  await registry.register(one, bodyOf(one, { authorizedRoles: ['a', 'b'] }));
  const reply = await registry.register(
    two,
    bodyOf(two, { authorizedRoles: ['b', 'a', 'b'], url: '/%74ickets', access: 'token' }),
  );
  expect(reply.created).toBe(true);
  expect(registry.getService('tickets')).toMatchObject({ authorizedRoles: ['a', 'b'], url: '/tickets' });
});

test('one that is alone may redefine by registering again; the path it left is free', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  await registry.register(one, bodyOf(one, { runId: 'a' }));
  await registry.register(one, bodyOf(one, { runId: 'b', url: '/moved' }));
  expect(registry.getService('tickets').url).toBe('/moved');
  const other = nameOf('other', 'two');
  expect(await refusal(registry.register(other, bodyOf(other, { url: '/tickets' })))).toBe(undefined);
});

test('after the last one expired its service stays for an hour, and the next one may redefine it', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  await registry.register(one, bodyOf(one));
  await clock.advance(11_000);
  expect(registry.getService('tickets').instances).toEqual([]);
  await clock.advance(3_000_000);
  await registry.register(two, bodyOf(two, { url: '/moved' }));
  expect(registry.getService('tickets')).toMatchObject({ url: '/moved', instances: [{ instanceId: 'two' }] });
  await clock.advance(11_000);
  const position = registry.position();
  await clock.advance(3_598_750);
  expect(registry.position()).toEqual(position);
  await clock.advance(1_000);
  expect(await refusal(() => registry.getService('tickets'))).toBe('service_not_found');
  expect(await kindsAfter(registry, position)).toEqual([['service-removed']]);
});

test('a path of a living service is taken; an empty service gives way, in the same revision', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  await registry.register(one, bodyOf(one));
  const other = nameOf('other', 'two');
  const wanted = bodyOf(other, { url: '/%74ickets' });
  await expect(registry.register(other, wanted)).rejects.toMatchObject({
    code: 'path_taken',
    message: expect.stringContaining('tickets'),
    errors: [{ field: 'url' }],
  });
  await clock.advance(11_000);
  const before = registry.position();
  await registry.register(other, wanted);
  expect(await kindsAfter(registry, before)).toEqual([
    ['service-removed', 'service-updated', 'instance-registered'],
  ]);
  expect(registry.listServices().services.map(({ name }) => name)).toEqual(['other']);
});

test('two names of one slug: the second is refused while the first has instances', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  await registry.register(one, bodyOf(one));
  const shout = nameOf('TICKETS!', 'two');
  expect(await refusal(registry.register(shout, bodyOf(shout, { url: '/shout' })))).toBe('slug_taken');
  await clock.advance(11_000);
  expect(await refusal(registry.register(shout, bodyOf(shout, { url: '/shout' })))).toBe(undefined);
});

test.each(['/_reg', '/_reg/health', '/%5Freg', '/%5freg/x', '/'])('%s is reserved', async (url) => {
  await using opened = openRegistry();
  expect(await refusal(opened.registry.register(one, bodyOf(one, { url })))).toBe('path_reserved');
  expect(opened.registry.listServices().services).toEqual([]);
});

test.each(['/registry', '/registry/v1', '/%72egistry/x'])(
  '%s is where gateways show the registry itself, and no service may have it',
  async (url) => {
    await using opened = openRegistry({ reservedPaths: ['/registry'] });
    const { registry } = opened;
    expect(await refusal(registry.register(one, bodyOf(one, { url })))).toBe('path_reserved');
    expect(registry.listServices().services).toEqual([]);
    expect(await refusal(registry.register(one, bodyOf(one, { url: '/registry-2' })))).toBe(undefined);
  },
);

test('/ goes to the service that the operator granted it to, and to no other; /_reg to nobody', async () => {
  const grants = [
    { path: '/', service: 'Web' },
    { path: '/_reg', service: 'Web' },
  ];
  await using opened = openRegistry({ grants });
  const { registry } = opened;
  const web = nameOf('Web', 'one');
  expect(await refusal(registry.register(two, bodyOf(two, { url: '/' })))).toBe('path_reserved');
  expect(await refusal(registry.register(web, bodyOf(web, { url: '/_reg' })))).toBe('path_reserved');
  expect(await refusal(registry.register(web, bodyOf(web, { url: '/' })))).toBe(undefined);
  expect(await refusal(registry.register(nameOf('_registry', 'x'), bodyOf(nameOf('_registry', 'x'))))).toBe(
    undefined,
  );
});

test('one address under two instance ids is refused, naming the holder, in any spelling and any service', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  await registry.register(one, bodyOf(one, { endpoints: [{ type: 'http', url: 'http://host.test:80/a' }] }));
  const endpoints = [
    { type: 'http' as const, url: 'http://free.test' },
    { type: 'http-get' as const, url: 'http://HOST.test/a/' },
  ];
  for (const name of [two, nameOf('other', 'two')]) {
    await expect(registry.register(name, bodyOf(name, { endpoints }))).rejects.toMatchObject({
      code: 'endpoint_taken',
      retryable: true,
      message: expect.stringContaining('instance one of tickets'),
      errors: [{ field: 'endpoints.1.url' }],
    });
  }
  const samePort = nameOf('other', 'one');
  expect(await refusal(registry.register(samePort, bodyOf(samePort, { endpoints })))).toBe(undefined);
  await registry.unregister(samePort, { force: true });
  await clock.advance(11_000);
  expect(await refusal(registry.register(two, bodyOf(two, { endpoints })))).toBe(undefined);
});
