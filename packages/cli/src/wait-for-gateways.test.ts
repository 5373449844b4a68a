import { expect, test } from 'vitest';
import { freshService, registerArgs, useRegistry } from './reg.fixture.ts';

const running = useRegistry();
const { start, reg, regJson } = running;

test('--wait succeeds where every gateway knows, and names those that do not', async () => {
  const [one, two, three] = [freshService(), freshService(), freshService()];
  expect(await regJson(registerArgs(one, '--wait'))).toMatchObject({ missing: [] });
  expect(await regJson(['drain', one.name, '--id', one.id, '--wait'])).toMatchObject({ missing: [] });

  await regJson(registerArgs(two));
  const hanging = new AbortController();
  running.registry.changes(running.registry.position(), hanging.signal, 'hanging-gateway');
  const late = {
    code: 1,
    stderr: expect.stringMatching(/^not_caught_up: done, .*: hanging-gateway\n$/),
  };
  await using kept = await start(registerArgs(three, '--lease', '1s', '--wait'));
  const [registered, drained] = await Promise.all([
    reg([...registerArgs(one, '--wait'), '--json']),
    reg(['drain', two.name, '--id', two.id, '--wait']),
  ]);
  expect(registered).toMatchObject(late);
  expect(JSON.parse(registered.stdout)).toMatchObject({ name: one.name, missing: ['hanging-gateway'] });
  expect(drained).toMatchObject({ ...late, stdout: `draining  ${two.name}  ${two.id}\n` });

  await kept.printed(/^registered/m);
  await kept.printed(/^done, .*: hanging-gateway$/m);
  kept.kill('SIGTERM');
  expect(await kept.ended).toEqual({ code: 0, signal: null });
  hanging.abort();
});
