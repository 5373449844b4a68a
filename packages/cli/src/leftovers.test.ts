// Against a real registry: what an earlier boot left goes, and nothing else.
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { ListedInstance } from '@reg/schema';
import { expect, test } from 'vitest';
import { freePort } from '../../../tests/support/free-port.ts';
import { leftoversOf, removeLeftovers } from './leftovers.ts';
import { openRegistry } from './reg.fixture.ts';
import { machineOf } from './this-boot.ts';

const here = { machine: machineOf('0123456789abcdef0123456789abcdef'), boot: 'now' };
const owner = 'systemd:tickets.service';

const instance = (fields: Partial<ListedInstance>): ListedInstance => ({
  ...{ instanceId: 'x', generation: 1, state: 'up', lease: 'none', leaseUntil: null, registeredAt: 0 },
  ...{ endpoints: [{ type: 'http', url: 'http://127.0.0.1:1' }], owner },
  metadata: { machine: here.machine, boot: 'before' },
  ...fields,
});

test.each([
  ['of another boot', {}, 1],
  ['of this boot', { metadata: { ...here } }, 0],
  ['of another machine', { metadata: { machine: 'other', boot: 'before' } }, 0],
  ['that says no boot', { metadata: { machine: here.machine } }, 0],
  ['that says nothing', { metadata: undefined }, 0],
  ['with a lease, which ends by itself', { lease: { ttlMs: 10_000 } }, 0],
  ['of another kind of owner', { owner: 'registrar:main' }, 0],
  ['of nobody', { owner: undefined }, 0],
] as [string, Partial<ListedInstance>, number][])('an instance %s', (_, fields, count) => {
  const services = [{ name: 'tickets', instances: [instance(fields)] }];
  expect(leftoversOf(services, here, 'systemd:other.service')).toHaveLength(count);
});

test('the machine is a keyed hash of its id, which cannot be read back', () => {
  expect(here.machine).toMatch(/^[0-9a-f]{32}$/);
  expect(here.machine).not.toContain('0123456789abcdef');
  expect(machineOf('0123456789abcdef0123456789abcdee')).not.toBe(here.machine);
});

// Story: virtual machines that are cloned share their machine-id, and each would take out what the other runs.
test('who answers at an address of another machine is left alone, whatever machine it says it is', async () => {
  await using registry = await openRegistry();
  const listener = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  const list = async (id: string, url: string) => {
    const response = await fetch(`${registry.url}/v1/services/tickets/instances/${id}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ url: '/tickets', endpoints: [{ type: 'http', url }], authorizedRoles: [], lease: 'none', owner },
        metadata: { machine: here.machine, boot: 'before' },
      }),
    });
    expect(response.ok).toBe(true);
  };
  // Spelled like this it is none of the addresses of this machine.
  await list('lives', `http://[::ffff:127.0.0.1]:${port}/`);
  await list('dead', `http://[::ffff:127.0.0.1]:${await freePort()}/`);
  await list('unknown', 'http://nobody.invalid:1/');
  await list('ours', `http://127.0.0.1:${port}/`);

  const lines = await removeLeftovers({ registry: registry.url }, here, owner);
  expect(lines.map((line) => line.split(',')[0])).toEqual([
    'left alone  tickets  lives',
    'unregistered  tickets  dead',
    'left alone  tickets  unknown',
    'unregistered  tickets  ours',
  ]);
  const left = (await (await fetch(`${registry.url}/v1/services/tickets`)).json()) as {
    instances: ListedInstance[];
  };
  expect(left.instances.map(({ instanceId }) => instanceId)).toEqual(['lives', 'unknown']);
  listener.close();
});
