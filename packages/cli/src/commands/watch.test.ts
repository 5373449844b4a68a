import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshService, registerArgs, useRegistry } from '../reg.fixture.ts';

const { folder, start, regJson } = useRegistry();

test('watch prints a line per change, nothing raw, and goes on with the registry that comes in place', async () => {
  const data = join(folder.path, 'watched');
  const up = (port: string) =>
    start(['up', '--registry-only', '--registry-port', port, '--json', '--data', data]);
  let url = '';
  await using watched = await (async () => {
    await using first = await up('0');
    const [line] = await first.printed(/^\{"registry".*\}$/m);
    url = JSON.parse(line).registry;
    const watcher = await start(['watch', '--json'], { REG_REGISTRY: url });
    await watcher.printed(/^watching/m);
    await regJson(registerArgs(freshService(), '--meta', 'k=\u009b2J\u202e'), { REG_REGISTRY: url });
    await watcher.printed(/"kind":"instance-registered"/);
    return watcher;
  })();
  expect(watched.stdout()).not.toMatch(/[\u009b\u202e]/);
  await using second = await up(new URL(url).port);
  await second.printed(/^\{"registry".*\}$/m);
  await watched.printed(/"kind":"snapshot"/);
  const service = freshService();
  await regJson(registerArgs(service), { REG_REGISTRY: url });
  await watched.printed(new RegExp(`"service":"${service.name}"`));
  for (const line of watched.stdout().trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('kind');
});

test('who reads enough of a watch ends it without a word', async () => {
  await using watcher = await start(['watch']);
  await watcher.printed(/^watching/m);
  watcher.child.stdout?.destroy();
  await regJson(registerArgs(freshService()));
  expect(await watcher.ended).toEqual({ code: 0, signal: null });
  expect(watcher.stderr()).toMatch(/^watching.*\n$/);
});
