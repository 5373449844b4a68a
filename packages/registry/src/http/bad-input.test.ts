// Every wrong body, path, parameter, name and id gets a problem with the field at fault, and changes nothing.
import { readFileSync } from 'node:fs';
import { operationPath } from '@reg/schema';
import { expect, test } from 'vitest';
import { hasShared, sharedFolder, skipWithout } from '../../../../tests/support/part.ts';
import { type Request, registrationOf, startApi, type TestApi } from './test-api.ts';

const path = '/v1/services/tickets/instances/one';
const endpointsOf = (url: string) => ({ endpoints: [{ type: 'http', url }] });

async function refuses(api: TestApi, request: Request, fields: readonly string[], code = 'invalid_request') {
  const before = api.registry.snapshot();
  const { status, problem } = await api.send(request);
  expect(problem).toMatchObject({ code });
  expect(status).toBe(400);
  expect(problem.errors?.map(({ field }) => field).sort()).toEqual([...fields].sort());
  expect(api.registry.snapshot()).toEqual(before);
}

test.each<[unknown, ...string[]]>([
  [{}, 'url', 'endpoints', 'authorizedRoles'],
  [[], 'body'],
  [null, 'body'],
  ['"text"', 'body'],
  [{ ...registrationOf(), nope: 1, neither: 2 }, 'nope', 'neither'],
  [registrationOf({ url: 'tickets' }), 'url'],
  [registrationOf({ url: '/a/../b' }), 'url'],
  [registrationOf({ url: '/a/%2e%2e/b' }), 'url'],
  [registrationOf({ url: '/a?b' }), 'url'],
  [registrationOf({ url: `/${'a'.repeat(600)}` }), 'url'],
  [registrationOf({ endpoints: [] }), 'endpoints'],
  [registrationOf({ endpoints: 'http://127.0.0.1:1' }), 'endpoints'],
  [registrationOf(endpointsOf('not a url')), 'endpoints.0.url'],
  [registrationOf(endpointsOf('http://user:secret@127.0.0.1:1/')), 'endpoints.0.url'],
  [registrationOf(endpointsOf('file:///etc/passwd')), 'endpoints.0.url'],
  [registrationOf(endpointsOf('http://127.0.0.1:0/')), 'endpoints.0.url'],
  [registrationOf({ endpoints: [{ type: 'ftp', url: 'http://127.0.0.1:1' }] }), 'endpoints.0.type'],
  [
    registrationOf({ endpoints: [{ type: 'http', url: 'http://127.0.0.1:1', extra: 1 }] }),
    'endpoints.0.extra',
  ],
  [registrationOf({ authorizedRoles: 'admin' }), 'authorizedRoles'],
  [registrationOf({ authorizedRoles: { anyOf: [] } }), 'authorizedRoles.anyOf'],
  [registrationOf({ access: 'public' }), 'authorizedRoles'],
  [registrationOf({ access: 'open' }), 'access'],
  [registrationOf({ lease: { ttlMs: 10 } }), 'lease.ttlMs'],
  [registrationOf({ lease: 'forever' }), 'lease'],
  [registrationOf({ weight: -1 }), 'weight'],
  [registrationOf({ weight: 1e9 }), 'weight'],
  [registrationOf({ generation: 1.5 }), 'generation'],
  [registrationOf({ generation: 2 ** 53 }), 'generation'],
  [registrationOf({ runId: 'a b' }), 'runId'],
  [registrationOf({ tags: ['a\nb'] }), 'tags.0'],
  [registrationOf({ metadata: { a: 1 } }), 'metadata.a'],
  [registrationOf({ name: 'another' }), 'name'],
  [registrationOf({ instanceId: 'another' }), 'instanceId'],
  [registrationOf({ redefine: 'yes' }), 'redefine'],
])('the body %j names the fields at fault', async (body, ...fields) => {
  await using api = await startApi();
  await refuses(api, { method: 'PUT', path, body }, fields);
});

test.each([
  [{ loopUtilization: 1.1, loopDelayMs: 0 }, 'load.loopUtilization'],
  [{ loopUtilization: 0, loopDelayMs: -1 }, 'load.loopDelayMs'],
  [{ loopUtilization: 0, loopDelayMs: 0, memory: 1 }, 'load.memory'],
  [{ loopDelayMs: 0 }, 'load.loopUtilization'],
  ['busy', 'load'],
])('a renewal with the load %j names the field %s', async (load, field) => {
  await using api = await startApi();
  await refuses(api, { method: 'PUT', path: `${path}/lease`, body: { generation: 1, load } }, [field]);
});

test('all faults are told at once, and twenty at most', async () => {
  await using api = await startApi();
  const request = { method: 'PUT', path: `${path}?nope=1`, body: { url: 'x' } };
  await refuses(api, request, ['nope', 'url', 'endpoints', 'authorizedRoles']);
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`field-${index}`, 1]));
  const { problem } = await api.send({ method: 'PUT', path, body: { ...registrationOf(), ...many } });
  expect(problem.errors).toHaveLength(20);
});

test.each([
  ['PUT', `${path}?waitFor=everybody`, 'waitFor'],
  ['PUT', `${path}?waitFor=gateways&wait=soon`, 'wait'],
  ['PUT', `${path}?waitFor=gateways&wait=2h`, 'wait'],
  ['PUT', `${path}?wait=1s&wait=1s`, 'wait'],
  ['PUT', `${path}?wait=1s`, 'wait'],
  ['GET', '/v1/services?wait=1s', 'wait'],
  ['GET', '/v1/services/tickets?seen=e.1&wait=1s', 'wait'],
  ['GET', '/v1/services?after=e.1&wait=61s', 'wait'],
  ['GET', '/v1/services?after=7', 'after'],
  ['GET', '/v1/services/tickets?seen=e.01', 'seen'],
  ['GET', '/v1/snapshot?seen=', 'seen'],
  ['GET', '/v1/snapshot?after=e.1', 'after'],
  ['PUT', `${path}?__proto__=1`, '__proto__'],
  ['PUT', `${path}?constructor=1`, 'constructor'],
  ['DELETE', path, 'generation'],
  ['DELETE', `${path}?generation=1&runId=a`, 'generation'],
  ['DELETE', `${path}?force=yes`, 'force'],
  ['DELETE', `${path}?generation=-1`, 'generation'],
  ['DELETE', `${path}?generation=abc`, 'generation'],
  ['DELETE', `${path}?runId=`, 'runId'],
  ['DELETE', `${path}?force=true&reason=${'a'.repeat(300)}`, 'reason'],
  ['GET', '/v1/changes?after=nowhere', 'after'],
  ['GET', '/v1/changes?after=e.99999999999999999999', 'after'],
  ['GET', '/v1/changes?gateway=a%20b', 'gateway'],
  ['GET', '/v1/services?Nope=1', 'Nope'],
])('%s %s names the parameter %s', async (method, target, field) => {
  await using api = await startApi();
  await refuses(api, { method, path: target, ...(method === 'PUT' && { body: registrationOf() }) }, [field]);
});

test.each([
  [`/v1/services/${'a'.repeat(101)}/instances/one`, 'service'],
  ['/v1/services/%00/instances/one', 'service'],
  ['/v1/services/%20a/instances/one', 'service'],
  ['/v1/services/a%0d%0ab/instances/one', 'service'],
  ['/v1/services/../instances/one', 'service'],
  ['/v1/services/%2e%2e/instances/one', 'service'],
  ['/v1/services/a/instances/b%20c', 'id'],
  ['/v1/services/a/instances/%C3%A9', 'id'],
  [`/v1/services/a/instances/${'a'.repeat(201)}`, 'id'],
  ['/v1/services/a/instances/..', 'id'],
])('the path %s names the parameter %s', async (target, field) => {
  await using api = await startApi();
  await refuses(api, { method: 'PUT', path: target, body: registrationOf() }, [field]);
});

test('a Last-Event-ID that is no position is refused', async () => {
  await using api = await startApi();
  await refuses(api, { path: '/v1/changes', headers: { 'Last-Event-ID': '7' } }, ['Last-Event-ID']);
});

test.each([
  ['GET', '/v1/services'],
  ['DELETE', `${path}?force=true`],
  ['PUT', `${path}/drain?force=true`],
])('%s %s takes no body', async (method, target) => {
  await using api = await startApi();
  await refuses(api, { method, path: target, body: {} }, ['body']);
  const answer = await api.raw(
    `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n`,
  );
  expect(answer).toContain('"field":"body"');
});

test.each([
  ['text/plain'],
  ['application/x-www-form-urlencoded'],
  ['application/json; charset=latin1'],
  ['application/json-patch+json'],
  ['application/json, text/plain'],
  [''],
])('the type %s is 415', async (type) => {
  await using api = await startApi();
  const request = { method: 'PUT', path, body: registrationOf(), headers: { 'Content-Type': type } };
  expect(await api.send(request)).toMatchObject({ status: 415, problem: { code: 'unsupported_media_type' } });
});

test.each([['application/json'], ['APPLICATION/JSON;charset=UTF-8'], ['application/json; charset="utf-8"']])(
  'the type %s is taken',
  async (type) => {
    await using api = await startApi();
    const request = { method: 'PUT', path, body: registrationOf(), headers: { 'Content-Type': type } };
    expect((await api.send(request)).status).toBe(201);
  },
);

test('a compressed body is 415, and never inflated', async () => {
  await using api = await startApi();
  for (const coding of ['gzip', 'br', 'identity, gzip']) {
    const request = { method: 'PUT', path, body: registrationOf(), headers: { 'Content-Encoding': coding } };
    expect(await api.send(request)).toMatchObject({
      status: 415,
      problem: { code: 'unsupported_media_type' },
    });
  }
});

test.each([
  ['{"__proto__":{"polluted":true},"url":"/a"}', '__proto__'],
  ['{"metadata":{"__proto__":{"polluted":true}}}', 'metadata.__proto__'],
  ['{"metadata":{"constructor":{"prototype":{"polluted":true}}}}', 'metadata.constructor'],
  ['{"url":"/a","url":"/b"}', 'url'],
  [
    '{"endpoints":[{"type":"http","url":"http://127.0.0.1:1","url":"http://127.0.0.1:2"}]}',
    'endpoints.0.url',
  ],
])('the body %s is invalid_json and reaches no prototype', async (body, field) => {
  await using api = await startApi();
  await refuses(api, { method: 'PUT', path, body }, [field], 'invalid_json');
  expect('polluted' in {}).toBe(false);
});

test('bytes that are no UTF-8 are invalid_json', async () => {
  await using api = await startApi();
  const body = Buffer.concat([Buffer.from('{"url":"/'), Buffer.from([0xff]), Buffer.from('"}')]);
  expect((await api.send({ method: 'PUT', path, body })).problem.code).toBe('invalid_json');
});

test.each([
  ['DELETE', '/v1/services', 'GET, HEAD'],
  ['GET', path, 'PUT, DELETE'],
  ['GET', '/v1/leases', 'POST'],
  ['OPTIONS', '/v1/health', 'GET, HEAD'],
  ['POST', `${path}/lease`, 'PUT'],
])('%s %s is 405 with Allow: %s', async (method, target, allow) => {
  await using api = await startApi();
  const reply = await api.send({ method, path: target });
  expect(reply).toMatchObject({ status: 405, headers: { allow }, problem: { code: 'method_not_allowed' } });
});

test.each([
  '/',
  '/v1',
  '/V1/health',
  '/v1/Health',
  '/v1/health/',
  '//v1/health',
  '/v1//health',
  '/v2/health',
  '/v1/services/a/instances',
])('there is nothing at %s', async (target) => {
  await using api = await startApi();
  expect(await api.send({ path: target })).toMatchObject({ status: 404, problem: { code: 'not_found' } });
});

test.each([
  'Tickets Query Service',
  'Tickets/Query',
  'a%2Fb',
  'Büro für Fahrkarten',
  '票务',
  '🎫 desk',
  'a+b&c=d?e#f',
  '\'"<script>',
])('the name %s comes back as it went in', async (service) => {
  await using api = await startApi();
  const name = { service, id: '127.0.0.1-3001' };
  const registered = { method: 'PUT', path: operationPath('register', name), body: registrationOf() };
  expect((await api.send(registered)).status).toBe(201);
  expect((await api.send({ path: operationPath('getService', { service }) })).json?.name).toBe(service);
  const gone = { method: 'DELETE', path: operationPath('unregister', name, { force: true }) };
  expect((await api.send(gone)).status).toBe(200);
  expect(api.registry.snapshot().services).toEqual([]);
});

const naughty = `${sharedFolder}corpora/blns/blns.json`;

test.skipIf(skipWithout('the big list of naughty strings', hasShared))(
  'naughty strings as names are refused with 400, or come back as they went in; never more than that',
  async () => {
    await using api = await startApi();
    const strings: string[] = JSON.parse(readFileSync(naughty, 'utf8'));
    let taken = 0;
    for (const service of strings) {
      const name = { service, id: 'one' };
      const reply = await api.send({
        method: 'PUT',
        path: operationPath('register', name),
        body: registrationOf(),
      });
      if (reply.status !== 201) {
        expect(service === '' ? [404] : [400], service).toContain(reply.status); // no name, no such path
        continue;
      }
      taken += 1;
      expect(api.registry.snapshot().services.map((one) => one.name)).toEqual([service]);
      expect((await api.send({ path: operationPath('getService', { service }) })).json?.name).toBe(service);
      const gone = { method: 'DELETE', path: operationPath('unregister', name, { force: true }) };
      expect((await api.send(gone)).status, service).toBe(200);
    }
    expect(taken).toBeGreaterThan(200);
  },
);
