// `reg history` and `reg load`, as a user runs them: real processes of the built program against a real registry.
import { expect, test } from 'vitest';
import { openRegistry, runReg } from './reg.fixture.ts';

async function started() {
  const open = await openRegistry();
  return {
    ...open,
    async reg(...args: readonly string[]) {
      const { code, stdout, stderr } = await runReg([...args, '--registry', open.url]);
      return { code, stdout: stdout.trim(), stderr: stderr.trim() };
    },
  };
}

const one = { service: 'tickets', id: 'one' };
const body = {
  url: '/tickets',
  endpoints: [{ type: 'http' as const, url: 'http://127.0.0.1:3001/' }],
  authorizedRoles: [],
};

test('history prints a line per entry, and where to read on; --after reads all that is kept since', async () => {
  await using running = await started();
  const { registry, reg } = running;
  await registry.register(one, body, { origin: { by: 'sub:ann', from: '192.0.2.1' } });
  const { epoch, revision } = registry.position();
  const event = { event: 'check-failing', text: 'answered 500', data: { status: 500 } };
  await registry.addNotes([{ service: 'tickets', instanceId: 'one', ...event }]);
  await registry.unregister(one, { force: true }, { reason: 'exit-code exited 3' });

  const { code, stdout, stderr } = await reg('history', 'tickets');
  expect(code).toBe(0);
  const lines = stdout.split('\n').map((line) => line.replace(/^\S+ {2}/, ''));
  expect(lines).toEqual([
    'service-updated  tickets  /tickets  by sub:ann  from 192.0.2.1',
    'instance-registered  tickets  one  http://127.0.0.1:3001/  by sub:ann  from 192.0.2.1',
    'check-failing  tickets  one  answered 500  status=500',
    'instance-unregistered  tickets  one  exit-code exited 3',
    'service-removed  tickets',
  ]);
  const [, next = ''] = /^read on with --after (\S+)$/.exec(stderr) ?? [];
  expect(await reg('history', '--after', next)).toMatchObject({ code: 0, stdout: '' });

  const since = await reg('history', '--after', `${epoch}.${revision}`, '--json');
  expect(since.stdout.split('\n').map((line) => JSON.parse(line).kind)).toEqual([
    'note',
    'instance-unregistered',
    'service-removed',
  ]);
  const latest = await reg('history', '--limit', '1', '--json');
  expect(JSON.parse(latest.stdout)).toMatchObject({ kind: 'service-removed' });
  expect(await reg('history', 'nobody')).toMatchObject({ code: 0, stdout: '' });
});

test('more than one page is read to its end', async () => {
  await using running = await started();
  const { registry, reg } = running;
  const { epoch, revision } = registry.position();
  const notes = Array.from({ length: 100 }, (_, at) => ({
    service: 'tickets',
    event: 'noted',
    text: `${at}`,
  }));
  for (let page = 0; page < 15; page++) await registry.addNotes(notes);
  await registry.register(one, body);
  const { stdout } = await reg('history', '--after', `${epoch}.${revision}`);
  expect(stdout.split('\n')).toHaveLength(1_502);
});

test('load is told and shown; what is neither high nor normal, or no service, is refused', async () => {
  await using running = await started();
  const { registry, reg } = running;
  await registry.register(one, body);
  expect(await reg('load', 'tickets', 'high', '--for', '2m', '--by', 'ann')).toMatchObject({
    code: 0,
    stdout: 'load high  tickets',
  });
  expect(registry.getService('tickets').load?.told).toMatchObject({ level: 'high', by: 'ann' });
  expect(await reg('load', 'tickets', 'normal', '--json')).toMatchObject({
    code: 0,
    stdout: '{"name":"tickets","level":"normal","forMs":60000}',
  });
  expect(registry.getService('tickets').load?.told).toMatchObject({ level: 'normal' });
  expect(await reg('load', 'tickets', 'huge')).toMatchObject({ code: 2 });
  const refused = await reg('load', 'nobody', 'high');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('service_not_found');
});

test.each([
  [2, ['history', '--limit', '0']],
  [1, ['history', '--after', 'nowhere']],
  [1, ['history', '--after', 'otherepoch.1']],
])('exit %i: reg %j', async (code, args) => {
  await using running = await started();
  expect(await running.reg(...args)).toMatchObject({ code, stdout: '' });
});
