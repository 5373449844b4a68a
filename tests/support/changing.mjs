// A service that changes while it runs. It is told so by POST at a port of its own, so that no command
// passes the gateway: { move }, { update }, { release }. NAME, PATH_AT_GATEWAY, ID and ROLES say what it is.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { json, text } from 'node:stream/consumers';
import { register } from '@reg/client';

const {
  NAME: name = 'desk',
  PATH_AT_GATEWAY: url = `/${name}`,
  ID: instanceId,
  ROLES = 'reader',
} = process.env;
const held = [];
const taken = new Set();

/** Answers a POST with what it got, and never takes the same one twice. */
async function answer(request, response) {
  response.setHeader('x-served-by', `${instanceId}-${request.socket.localPort}`);
  const got = await text(request);
  if (request.url.endsWith('/held')) {
    held.push(response);
    console.log('held');
    return;
  }
  if (request.method === 'POST' && taken.has(got)) response.statusCode = 409;
  taken.add(got);
  response.end(got);
}

async function listen(handler) {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

const endpointsAt = (origin) => [{ type: 'http', url: `${origin}${url}` }];
let front = await listen(answer);

const commands = {
  /** Another port takes over; the first is closed as soon as the gateways know. */
  async move() {
    const before = front;
    front = await listen(answer);
    const reply = await registration.update(
      { endpoints: endpointsAt(front.origin) },
      { waitFor: 'gateways' },
    );
    before.server.close();
    await once(before.server, 'close');
    return { ...reply, origin: front.origin };
  },
  update: (changes) => registration.update(changes, { waitFor: 'gateways' }),
  async release() {
    for (const response of held.splice(0)) response.end('released');
  },
};

const control = await listen(async (request, response) => {
  const [[command, argument]] = Object.entries(await json(request));
  response.end(JSON.stringify((await commands[command](argument)) ?? {}));
});

const registration = await register({
  name,
  url,
  instanceId,
  endpoints: endpointsAt(front.origin),
  authorizedRoles: ROLES.split(','),
  waitFor: 'gateways',
  onRefused: process.env.ON_REFUSED,
});
console.log(`ready ${control.origin} ${front.origin} ${JSON.stringify(registration.missing)}`);
