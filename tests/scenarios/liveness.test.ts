// Who works is not dead, and who is dead is gone: real processes, and a client as its user bundles it.
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startLoad } from '../support/load.ts';
import { startProcess } from '../support/process.ts';
import { listed, position, root, startRegistry, startStack, startTickets, token } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** The bundler that tsup brings along. */
interface Bundler {
  build(options: object): Promise<unknown>;
}
const fromClient = createRequire(`${root}packages/client/package.json`);
const { build } = createRequire(fromClient.resolve('tsup'))('esbuild') as Bundler;

test.each(['esm', 'cjs'])(
  'a service bundled as %s works for longer than its lease: listed, and others are served meanwhile',
  async (format) => {
    await using folder = await temporaryFolder();
    const bundle = `${folder.path}/busy.${format === 'esm' ? 'mjs' : 'cjs'}`;
    const shape = { bundle: true, minify: true, platform: 'node', format };
    await build({ ...shape, entryPoints: [`${root}tests/support/busy.mjs`], outfile: bundle });

    await using stack = await startStack(folder.path);
    await using _tickets = await startTickets(stack.registry);
    await using busy = await startProcess('node', [bundle, `${folder.path}/done`], {
      env: { REG_REGISTRY: stack.registry },
    });
    await busy.printed(/^registered$/m);
    const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
    await eventually(
      () => fetch(`${stack.gateway}/tickets`, { headers: { authorization } }),
      ({ status }) => status === 200,
    );
    const load = startLoad(`${stack.gateway}/tickets`, { authorization, perSecond: 100 });
    const [before] = await listed(stack.registry, 'busy');
    const { revision } = await position(stack.registry);

    busy.kill('SIGUSR2');
    await busy.printed(/^busy$/m);
    await eventually(
      () => listed(stack.registry, 'busy'),
      ([now]) =>
        Number(now?.leaseUntil) > Number(before?.leaseUntil) + 1_500 &&
        Number(now?.load?.loopDelayMs) > 1_000,
    );
    await writeFile(`${folder.path}/done`, '');
    await busy.printed(/^done$/m);
    expect((await position(stack.registry)).revision).toBe(revision);
    expect((await load.stop()).failures).toEqual([]);

    busy.kill('SIGTERM');
    expect(await busy.ended).toEqual({ code: null, signal: 'SIGTERM' });
    expect(busy.stderr()).toBe('');
    expect(await listed(stack.registry, 'busy')).toEqual([]);
  },
);

test('the first of two registries is killed: services go over to the spare, and no view of them flaps', async () => {
  await using folder = await temporaryFolder();
  await using first = await startRegistry(`${folder.path}/first`);
  await using spare = await startRegistry(`${folder.path}/spare`);
  const both = `${first.url},${spare.url}`;
  await using one = await startTickets(both);
  await using other = await startTickets(both);
  await eventually(
    () => listed(first.url),
    (all) => all.length === 2,
  );
  await using script = await startProcess('node', [`${root}tests/support/discovers.mjs`, 'tickets'], {
    env: { REG_REGISTRY: both },
  });
  /** The script prints a line per round of ten requests: who answered how often. */
  const rounds = () => script.stdout().trim().split('\n').filter(Boolean);
  const ids = [one, other].map(({ port }) => `127.0.0.1-${port}`).sort();
  await eventually(() => rounds().length > 5);
  const before = await listed(first.url);

  first.process.kill('SIGKILL');
  await first.process.ended;
  const after = await eventually(
    () => listed(spare.url),
    (all) => all.length === 2,
    { withinMs: 10_000 },
  );
  const runs = (all: typeof after) => all.map(({ runId, generation }) => `${runId} ${generation}`).sort();
  expect(runs(after)).toEqual(runs(before));

  // A third one reaches the script, so it follows the spare.
  await using third = await startTickets(both);
  await eventually(() => rounds().at(-1)?.includes(`127.0.0.1-${third.port}`));
  const answering = rounds().map((line) => Object.keys(JSON.parse(line)));
  expect(answering.filter((seen) => !ids.every((id) => seen.includes(id)))).toEqual([]);
  expect(script.stderr()).toBe('');
});
