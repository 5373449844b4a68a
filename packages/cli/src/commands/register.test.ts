import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { freshService, registerArgs, useRegistry } from '../reg.fixture.ts';

const { start, reg, regJson } = useRegistry();

test('registered, listed, registered again without a change, unregistered', async () => {
  const service = freshService();
  const details = [
    '--version',
    '1.2',
    '--zone',
    'z',
    '--tag',
    'a',
    '--tag',
    'b c',
    '--meta',
    'k=v=w',
    '--owner',
    'me',
  ];
  const first = await regJson(registerArgs(service, '--roles', 'x, y', '--run-id', 'r1', ...details));
  expect(first).toMatchObject({
    name: service.name,
    instanceId: service.id,
    lease: 'none',
    leaseUntil: null,
  });
  const again = await regJson(registerArgs(service, '--roles', 'x,y', '--run-id', 'r1', ...details));
  expect(again).toMatchObject({ generation: first.generation, revision: first.revision });

  const instance = {
    instanceId: service.id,
    endpoints: [{ type: 'http', url: service.url }],
    runId: 'r1',
    ...{ version: '1.2', zone: 'z', tags: ['a', 'b c'], metadata: { k: 'v=w' }, owner: 'me', lease: 'none' },
  };
  const listed = {
    name: service.name,
    url: service.path,
    authorizedRoles: ['x', 'y'],
    instances: [instance],
  };
  expect(await regJson(['services', service.name])).toMatchObject([listed]);
  expect(await regJson(['services'])).toContainEqual(expect.objectContaining({ name: service.name }));

  expect((await reg(['unregister', service.name])).stdout).toBe(
    `unregistered  ${service.name}  ${service.id}\n`,
  );
  const gone = await reg(['services', service.name]);
  expect(gone).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^service_not_found: .*\n$/),
  });
});

test.each([
  [['--roles', 'a,b'], { authorizedRoles: ['a', 'b'], access: 'token' }],
  [['--any-role', 'a,b'], { authorizedRoles: { anyOf: ['a', 'b'] }, access: 'token' }],
  [['--public'], { authorizedRoles: [], access: 'public' }],
  [[], { authorizedRoles: [], access: 'token' }],
])('%j says who may call', async (flags, expected) => {
  const service = freshService();
  await regJson(registerArgs(service, ...flags));
  expect(await regJson(['services', service.name])).toMatchObject([expected]);
});

test('several endpoints, each of its type; a name of any letters; a table that shows them', async () => {
  const { path } = freshService();
  const name = 'Tïckets 日本 🎫';
  const endpoints = ['--endpoint', 'http://127.0.0.1:9001/a', '--endpoint', 'http://127.0.0.1:9002/b'];
  await regJson(['register', name, '--url', path, ...endpoints, '--type', 'http-get', '--type', 'http-post']);
  const { stdout } = await reg(['services', name]);
  expect(stdout.split('\n')[0]).toMatch(
    /^SERVICE +URL +ROLES +INSTANCE +STATE +LEASE +LOOP +VERSION +ENDPOINTS$/,
  );
  expect(stdout.split('\n')[1]).toMatch(/^Tïckets 日本 🎫.*http-get http:\/\/127.0.0.1:9001\/a, http-post /u);
});

test('a sunset is a date, told to callers and shown', async () => {
  const service = freshService();
  await regJson(registerArgs(service, '--sunset', '2027-01-31'));
  const sunset = Date.UTC(2027, 0, 31);
  expect(await regJson(['services', service.name])).toMatchObject([
    { instances: [{ deprecated: { sunset } }] },
  ]);
  expect((await reg(['services', service.name])).stdout).toContain('up, sunset 2027-01-31');
  expect(await reg(registerArgs(service, '--sunset', '31.1.2027'))).toMatchObject({ code: 2 });
});

test('endpoints as parts of one answer, each with its name', async () => {
  const service = freshService();
  const parts = registerArgs(service, '--endpoint', `${service.url}2`, '--merge', '--partial', 'allow');
  await regJson([...parts, '--as', '-', '--as', 'desk']);
  const [{ instances }] = (await regJson(['services', service.name])) as unknown as [
    { instances: unknown[] },
  ];
  expect(instances).toMatchObject([
    {
      merge: true,
      partial: 'allow',
      endpoints: [
        { type: 'http', url: service.url },
        { type: 'http', url: `${service.url}2`, as: 'desk' },
      ],
    },
  ]);
  expect(await reg([...parts, '--as', 'desk'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--as once for each of the 2 endpoints'),
  });
  expect(await reg(registerArgs(freshService(), '--partial', 'allow'))).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^invalid_request: .*needs merge: true/),
  });
});

test('with a lease it stays, keeps it past its end, and leaves on a signal with exit 0', async () => {
  const service = freshService();
  await using kept = await start(registerArgs(service, '--lease', '1s'));
  await kept.printed(/^registered/m);
  const until = async () => (await regJson(['services', service.name]))[0].instances[0].leaseUntil as number;
  const first = await until();
  await eventually(until, (later) => later > first + 1_000);
  kept.kill('SIGTERM');
  expect(await kept.ended).toEqual({ code: 0, signal: null });
  expect((await reg(['services', service.name])).code).toBe(1);
});
