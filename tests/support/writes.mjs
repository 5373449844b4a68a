// A registry that writes to its database without a pause until somebody ends it. A line `SERVICE STATE` says what
// was answered: how many instances the service has, and its role.
import { writeSync } from 'node:fs';
import { createRegistry } from '@reg/registry';
import { openMongoStore } from '@reg/store-mongo';

const [url, round] = process.argv.slice(2);
const registry = createRegistry({ store: await openMongoStore({ url, log() {} }) });

async function writer(number) {
  const service = `service-${number}`;
  const body = (port, role) => ({
    url: `/${service}`,
    endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
    authorizedRoles: [role],
    redefine: true,
    lease: 'none',
  });
  const say = (state) => writeSync(1, `${service} ${state}\n`);
  for (let turn = 0; ; turn++) {
    const role = `role-${round}-${turn}`;
    await registry.register({ service, id: 'one' }, body(3000 + number, role));
    say(`1 ${role}`);
    await registry.register({ service, id: 'two' }, body(4000 + number, role));
    say(`2 ${role}`);
    await registry.register({ service, id: 'one' }, body(3000 + number, `${role}-new`));
    say(`2 ${role}-new`);
    await registry.unregister({ service, id: 'one' }, { force: true });
    say(`1 ${role}-new`);
    await registry.unregister({ service, id: 'two' }, { force: true });
    say('0');
  }
}

await Promise.all([0, 1, 2, 3].map(writer));
