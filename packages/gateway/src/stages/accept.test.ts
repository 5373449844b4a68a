import { describe, expect, test } from 'vitest';
import type { GatewayRequest } from '../exchange.ts';
import { accept } from './accept.ts';
import { isRefusal } from './refusal.ts';
import { targetFault } from './target-fault.ts';

const body = { start: () => undefined, resume: () => undefined, cancel: () => undefined };
const good: GatewayRequest = {
  method: 'GET',
  target: '/tickets/1?sort=asc',
  httpVersion: '1.1',
  headers: ['Host', 'localhost:3000'],
  remoteAddress: '127.0.0.1',
  encrypted: false,
  isUpgrade: false,
  body,
};

function codeOf(difference: Partial<GatewayRequest>, maxBodyBytes = Number.POSITIVE_INFINITY): string {
  const result = accept({ ...good, ...difference }, maxBodyBytes);
  return isRefusal(result) ? result.code : 'accepted';
}

describe('the target', () => {
  test.each([
    '/',
    '//',
    '/tickets//1',
    '/a;b=c/..;/d',
    '/...',
    '/.well-known/x',
    '/a..',
    '/%41%7e',
    '/tickets/%2e%2ex',
    '/?',
    '/?a=../..%2f',
    '/?100%',
    '/a?b=\\c',
    "/!$&'()*+,;=:@",
    '/a|b',
    '/[x]',
  ])('%s is taken', (target) => {
    expect(targetFault(target)).toBeUndefined();
  });

  test.each([
    '',
    '*',
    'tickets',
    'http://x/',
    'http://x',
    '/.',
    '/..',
    '/./a',
    '/a/../b',
    '/a/..',
    '/a/.',
    '/a/..?x',
    '/%2e',
    '/%2E%2e/a',
    '/a/.%2e',
    '/a/%2e./b',
    '/a%2fb',
    '/a%2Fb',
    '/a%5cb',
    '/a%5C',
    '/a%00',
    '/a\\b',
    '/a#b',
    '/a?b#c',
    '/a b',
    '/a\tb',
    '/a\u0000',
    '/a\u007f',
    '/caf\u00e9',
    '/%',
    '/%4',
    '/%4g',
    '/%g4',
    '/a%',
    '/a?b c',
    '/a?\u00e9',
    '/a?\r\nX: y',
  ])('%j is refused', (target) => {
    expect(targetFault(target)).toBeTypeOf('string');
  });
});

describe('accept', () => {
  test('gives the path and no payload where there is no body', () => {
    expect(accept(good, 10)).toEqual({ path: '/tickets/1', payload: undefined });
    expect(accept({ ...good, headers: [...good.headers, 'Content-Length', '0'] }, 10)).toMatchObject({
      payload: undefined,
    });
  });

  test('says how long the body is', () => {
    const headers = [...good.headers, 'content-length', '12'];
    expect(accept({ ...good, headers }, 12)).toMatchObject({
      payload: { body, contentLength: 12, maxBytes: 12 },
    });
    const chunked = [...good.headers, 'TRANSFER-ENCODING', 'Chunked'];
    expect(accept({ ...good, headers: chunked }, 12)).toMatchObject({
      payload: { contentLength: undefined },
    });
  });

  test.each<[string, Partial<GatewayRequest>]>([
    ['accepted', {}],
    ['accepted', { httpVersion: '1.0', headers: [] }],
    ['accepted', { headers: ['hOST', ''] }],
    ['accepted', { headers: ['Host', '[::1]:3000'] }],
    ['malformed_request', { httpVersion: '2.0' }],
    ['malformed_request', { httpVersion: '0.9' }],
    ['malformed_request', { headers: [] }],
    ['malformed_request', { headers: ['Host', 'a', 'Host', 'a'] }],
    ['malformed_request', { httpVersion: '1.0', headers: ['Host', 'a', 'host', 'b'] }],
    ['malformed_request', { headers: ['Host', 'a, b'] }],
    ['malformed_request', { headers: ['Host', 'user@a'] }],
    ['malformed_request', { headers: ['Host', 'a/b'] }],
    ['malformed_request', { headers: ['Host', 'a:b'] }],
    ['method_not_allowed', { method: 'TRACE' }],
    ['method_not_allowed', { method: 'CONNECT' }],
    ['head_too_large', { target: `/${'a'.repeat(8_192)}` }],
    ['accepted', { target: `/${'a'.repeat(8_191)}` }],
  ])('%s: %j', (code, difference) => {
    expect(codeOf(difference)).toBe(code);
  });

  test.each<[string, string[]]>([
    ['malformed_request', ['Content-Length', '5', 'Transfer-Encoding', 'chunked']],
    ['malformed_request', ['Content-Length', '5', 'Content-Length', '6']],
    ['accepted', ['Content-Length', '5', 'Content-Length', '5']],
    ['malformed_request', ['Content-Length', '5, 5']],
    ['malformed_request', ['Content-Length', '+5']],
    ['malformed_request', ['Content-Length', '-1']],
    ['malformed_request', ['Content-Length', '0x5']],
    ['malformed_request', ['Content-Length', '']],
    ['malformed_request', ['Content-Length', '1'.repeat(16)]],
    ['malformed_request', ['Transfer-Encoding', 'gzip, chunked']],
    ['malformed_request', ['Transfer-Encoding', 'identity']],
    ['malformed_request', ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked']],
    ['malformed_request', ['Transfer-Encoding', '']],
    ['body_too_large', ['Content-Length', '11']],
    ['accepted', ['Content-Length', '10']],
  ])('%s: %j', (code, framing) => {
    expect(codeOf({ method: 'POST', headers: [...good.headers, ...framing] }, 10)).toBe(code);
  });

  test('HTTP/1.0 has no chunks', () => {
    expect(codeOf({ httpVersion: '1.0', headers: ['Transfer-Encoding', 'chunked'] })).toBe(
      'malformed_request',
    );
  });
});
