import { expect, test } from 'vitest';
import { freshService, registerArgs, useRegistry } from '../reg.fixture.ts';

const { reg, regJson } = useRegistry();

test('a path is moved to another service, which gives its own in return; a repeat changes nothing', async () => {
  const [from, to] = [freshService(), freshService()];
  await regJson(registerArgs(from));
  await regJson(registerArgs(to));
  const move = ['move-path', from.path, '--from', from.name, '--to', to.name];
  const first = await regJson(move);
  expect(first).toMatchObject({
    path: from.path,
    from: from.name,
    to: to.name,
    revision: expect.any(Number),
  });
  expect(await regJson(['services', to.name])).toMatchObject([{ url: from.path }]);
  expect(await regJson(['services', from.name])).toMatchObject([{ url: to.path }]);
  expect(await reg(move)).toEqual({
    code: 0,
    stdout: `moved  ${from.path}  ${from.name} -> ${to.name}\n`,
    stderr: '',
  });
  expect(await reg(['move-path', from.path, '--from', from.name, '--to', 'never known'])).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^service_not_found: .*\n$/),
  });
});
