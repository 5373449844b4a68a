// For tests of fallbacks: services with one, whose instances die, and questions to their gateway.
import type { ServicePolicy } from '@reg/schema';
import {
  deadPort,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestService,
  tokenOf,
} from './gateway.fixture.ts';

export type Fallback = NonNullable<ServicePolicy['fallback']>;
export type Use = Fallback['use'];

export const service = (
  use: Use,
  more: TestService & Partial<Fallback> = { url: '/tickets' },
): TestService => {
  const { methods, ...definition } = more;
  return { ...definition, policy: { fallback: { use, ...(methods && { methods }) } } };
};
export const dead = async (id = 'dead') => ({ id, endpoints: [`http://127.0.0.1:${await deadPort()}`] });

export interface Asked {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

export async function ask({ url }: TestGateway, path: string, asked: Asked = {}) {
  const response = await fetch(url + path, { ...asked, headers: { connection: 'close', ...asked.headers } });
  const text = await response.text();
  return {
    status: response.status,
    text,
    headers: response.headers,
    mark: response.headers.get('x-reg-degraded'),
  };
}

export const callerOf = (subject: string, roles: readonly string[] = []) => ({
  headers: { authorization: `Bearer ${tokenOf(subject, roles)}` },
});

/** A service with one instance, which answers as `headers` say, and dies when it is told to. */
export async function startWorld(
  use: Use,
  headers: Record<string, string> = {},
  more?: TestService & Partial<Fallback>,
) {
  let time = 1_000_000;
  let answers = 0;
  let failing = false;
  const upstream = await startUpstream((request, response) => {
    if (failing) {
      request.socket.destroy();
      return;
    }
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const { 'accept-language': language = '', 'x-reg-subject': subject = '' } = request.headers;
    const words = [`${++answers}`, request.url, language, subject];
    response.end(words.filter((word) => word !== '' && word !== '*').join(' ')); // fetch says * of its own
  });
  const one = await startGateway({ now: () => time });
  one.catalog.add(service(use, more ?? { url: '/tickets' }), { id: 'a', endpoints: [upstream.url] });
  await one.follows();
  return {
    one,
    upstream,
    ask: (path: string, asked?: Asked) => ask(one, path, asked),
    fail(is: boolean) {
      failing = is;
    },
    goOn(byMs: number) {
      time += byMs;
    },
    async [Symbol.asyncDispose]() {
      await one[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}
