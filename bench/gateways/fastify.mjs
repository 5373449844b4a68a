// @fastify/http-proxy and @fastify/jwt, as their READMEs document them. The token cache is the one option
// that is off by default and documented to "dramatically" help: ours remembers tokens too.

import proxy from '@fastify/http-proxy';
import jwt from '@fastify/jwt';
import fastify from 'fastify';

const { UPSTREAM, JWT_SECRET } = process.env;
const server = fastify({ bodyLimit: 1024 * 1024 });
server.register(jwt, {
  secret: JWT_SECRET,
  verify: { allowedAud: 'reg', allowedIss: 'reg', algorithms: ['HS256'], cache: true },
});
server.register(proxy, { upstream: UPSTREAM, prefix: '/open' });
server.register(proxy, {
  upstream: UPSTREAM,
  prefix: '/secured',
  preHandler: async (request) => {
    await request.jwtVerify();
  },
});
console.log(await server.listen({ host: '127.0.0.1', port: 0 }));
