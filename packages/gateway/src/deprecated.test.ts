// Who calls what is to end is told so, by the instance that answers: RFC 9745, RFC 8594.
import { expect, test } from 'vitest';
import { startGateway, startUpstream } from './gateway.fixture.ts';

const since = Date.UTC(2026, 10, 1);
const sunset = Date.UTC(2027, 0, 31, 18);

function notice({ headers }: Response): (string | null)[] {
  return [headers.get('deprecation'), headers.get('sunset')];
}

test('its answers say since when and until when; those of another instance do not', async () => {
  await using upstream = await startUpstream((_, response) => response.end('ok'));
  await using one = await startGateway();
  const endpoints = [upstream.url];
  one.catalog.add({ url: '/x' }, { id: 'old', endpoints, deprecated: { since, sunset } });
  one.catalog.add({ url: '/y' }, { id: 'young', endpoints });
  await one.follows();
  expect(notice(await fetch(`${one.url}/x`))).toEqual(['@1793491200', 'Sun, 31 Jan 2027 18:00:00 GMT']);
  expect(notice(await fetch(`${one.url}/y`))).toEqual([null, null]);
});

test('what the upstream says of one resource stands', async () => {
  await using upstream = await startUpstream((_, response) => {
    response.setHeader('sunset', 'Fri, 01 Jan 2027 00:00:00 GMT');
    response.end('ok');
  });
  await using one = await startGateway();
  one.catalog.add({ url: '/x' }, { endpoints: [upstream.url], deprecated: { since, sunset } });
  await one.follows();
  expect(notice(await fetch(`${one.url}/x`))).toEqual(['@1793491200', 'Fri, 01 Jan 2027 00:00:00 GMT']);
});

test('a merged answer says it too; a problem of the gateway does not', async () => {
  await using upstream = await startUpstream((_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{}');
  });
  await using one = await startGateway();
  const deprecated = { sunset }; // a document that a store was given by hand: then it is when the run joined
  one.catalog.add({ url: '/x' }, { merge: true, endpoints: [upstream.url], deprecated });
  await one.follows();
  expect(notice(await fetch(`${one.url}/x`))).toEqual(['@0', 'Sun, 31 Jan 2027 18:00:00 GMT']);
  const refused = await fetch(`${one.url}/x`, { method: 'POST', body: 'merged ones take none' });
  expect([refused.ok, ...notice(refused)]).toEqual([false, null, null]);
});
