// express, express-jwt and http-proxy-middleware, as their READMEs document them, with connections kept.
import { Agent } from 'node:http';
import express from 'express';
import { expressjwt } from 'express-jwt';
import { createProxyMiddleware } from 'http-proxy-middleware';

const { UPSTREAM, JWT_SECRET } = process.env;
const app = express();
const agent = new Agent({ keepAlive: true });
const proxy = createProxyMiddleware({ target: UPSTREAM, changeOrigin: true, agent });
app.use('/open', proxy);
app.use(
  '/secured',
  expressjwt({ secret: JWT_SECRET, algorithms: ['HS256'], audience: 'reg', issuer: 'reg' }),
  proxy,
);
const server = app.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
