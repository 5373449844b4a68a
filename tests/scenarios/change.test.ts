// Every kind of change, under load, and no request fails: registry, gateway and services are processes of
// their own, half of the requests are POSTs, which may never be sent twice.
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startLoad } from '../support/load.ts';
import { type StartedProcess, startProcess } from '../support/process.ts';
import { count } from '../support/size.ts';
import { listed, root, runReg, startGateway, startRegistry, token } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const requests = count({ reduced: 400, whole: 2_000 });

interface Changing extends AsyncDisposable {
  readonly process: StartedProcess;
  /** `127.0.0.1:port` of where it serves first. */
  readonly port: string;
  tell(
    command: 'move' | 'update' | 'release',
    argument?: object,
  ): Promise<{ missing?: string[]; origin?: string }>;
}

/** Resolves once it is registered, and every gateway knows. */
async function startChanging(registry: string, env: Record<string, string> = {}): Promise<Changing> {
  const started = await startProcess('node', [`${root}tests/support/changing.mjs`], {
    env: { ID: 'one', ...env, REG_REGISTRY: registry },
  });
  const [, control = '', origin = '', missing] = await started.printed(/^ready (\S+) (\S+) (\S+)$/m);
  expect(missing).toBe('[]');
  return {
    process: started,
    port: new URL(origin).port,
    async tell(command, argument = {}) {
      const response = await fetch(control, {
        method: 'POST',
        body: JSON.stringify({ [command]: argument }),
      });
      return (await response.json()) as { missing?: string[] };
    },
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  };
}

interface Split {
  readonly registry: string;
  readonly gateways: readonly string[];
}

/** Registry and two gateways, each a process. */
async function withSplit(run: (split: Split) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(`${folder.path}/registry`);
  await using first = await startGateway(`${folder.path}/first`, registry.url);
  await using second = await startGateway(`${folder.path}/second`, registry.url);
  await run({ registry: registry.url, gateways: [first.url, second.url] });
}

const authorization = `Bearer ${await token({ roles: ['reader', 'auditor'] })}`;

interface ChangeLoad extends AsyncDisposable {
  /** @returns who answered what was sent from now on. Nothing failed, before, meanwhile and after */
  changed(): Promise<Set<string | null>>;
}

/** Load on every gateway. Resolves when a quarter of it was answered: then something may change. */
async function loadOn({ gateways }: Split, path: string): Promise<ChangeLoad> {
  const loads = gateways.map((gateway) =>
    startLoad(`${gateway}${path}`, { authorization, lanes: 4, posts: true }),
  );
  const answered = () => loads.reduce((sum, load) => sum + load.answered(), 0);
  const reaches = (wanted: number) => eventually(() => answered() >= wanted, Boolean, { withinMs: 60_000 });
  const stop = () => Promise.all(loads.map((load) => load.stop()));
  await reaches(requests / 4);
  return {
    async changed() {
      const changedAt = performance.now();
      await reaches(Math.max(requests, answered() + requests / 4));
      const stopped = await stop();
      expect(stopped.flatMap(({ failures }) => failures)).toEqual([]);
      const after = stopped.flatMap(({ answers }) => answers).filter(({ sentAt }) => sentAt > changedAt);
      return new Set(after.map(({ servedBy }) => servedBy));
    },
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

/** A request that is answered when the service is told to. */
async function holdRequest({ gateways: [gateway] }: Split, desk: Changing) {
  const answer = fetch(`${gateway}/desk/held`, { method: 'POST', headers: { authorization } });
  await desk.process.printed(/^held$/m);
  return { text: answer.then((response) => response.text()) };
}

test('an instance moves to another port, and says other things of itself', () =>
  withSplit(async (split) => {
    await using desk = await startChanging(split.registry);
    await using load = await loadOn(split, '/desk');
    const { missing, origin = '' } = await desk.tell('move');
    expect(missing).toEqual([]);
    expect(await load.changed()).toEqual(new Set([`one-${new URL(origin).port}`]));

    await using again = await loadOn(split, '/desk');
    const metadata = { team: 'desk' };
    expect(await desk.tell('update', { version: '2', metadata })).toEqual({ missing: [] });
    await again.changed();
    expect(await listed(split.registry, 'desk')).toMatchObject([{ version: '2', metadata }]);
  }));

test('a role is added for all instances, while callers hold both', () =>
  withSplit(async (split) => {
    await using desk = await startChanging(split.registry);
    await using _beside = await startChanging(split.registry, { ID: 'two' });
    await using load = await loadOn(split, '/desk');
    const change = { authorizedRoles: ['reader', 'auditor'], redefine: true };
    expect(await desk.tell('update', change)).toEqual({ missing: [] });
    expect((await load.changed()).size).toBe(2);
    const reader = `Bearer ${await token({ roles: ['reader'] })}`;
    for (const gateway of split.gateways) {
      const refused = await fetch(`${gateway}/desk`, { headers: { authorization: reader } });
      expect(refused.status).toBe(403);
    }
  }));

test('a path moves to another service, and stays there when the first one starts again as it was', () =>
  withSplit(async (split) => {
    const { registry, gateways } = split;
    const servers = async (path: string) => {
      const answers = gateways.map((gateway) => fetch(`${gateway}${path}`, { headers: { authorization } }));
      return (await Promise.all(answers)).map(({ headers }) => headers.get('x-served-by'));
    };
    await using next = await startChanging(registry, { NAME: 'desk-next', ID: 'next' });
    const nextAlone = new Set([`next-${next.port}`]);
    await using desk = await startChanging(registry);
    await using load = await loadOn(split, '/desk');
    await runReg(registry, 'move-path', '/desk', '--from', 'desk', '--to', 'desk-next');
    await eventually(
      () => servers('/desk'),
      (names) => names.every((name) => name === `next-${next.port}`),
    );
    expect(await load.changed()).toEqual(nextAlone);

    await using second = await loadOn(split, '/desk');
    desk.process.kill('SIGTERM');
    await desk.process.ended;
    await using again = await startChanging(registry);
    expect(await second.changed()).toEqual(nextAlone);
    expect(new Set(await servers('/desk-next'))).toEqual(new Set([`one-${again.port}`]));
  }));

test('one of two is drained, and answers what it has', () =>
  withSplit(async (split) => {
    await using desk = await startChanging(split.registry);
    const held = await holdRequest(split, desk);
    await using beside = await startChanging(split.registry, { ID: 'two' });
    await using load = await loadOn(split, '/desk');
    await runReg(split.registry, 'drain', 'desk', '--id', 'one', '--wait');
    expect(await load.changed()).toEqual(new Set([`two-${beside.port}`]));
    await desk.tell('release');
    expect(await held.text).toBe('released');
  }));

test('one of two is told to end', () =>
  withSplit(async (split) => {
    await using desk = await startChanging(split.registry);
    await using beside = await startChanging(split.registry, { ID: 'two' });
    await using load = await loadOn(split, '/desk');
    desk.process.kill('SIGTERM');
    expect(await desk.process.ended).toEqual({ code: null, signal: 'SIGTERM' });
    expect(await load.changed()).toEqual(new Set([`two-${beside.port}`]));
    expect(desk.process.stderr()).toBe('');
  }));

test.each(['SIGTERM', 'itself'] as const)(
  'handover: a new run of the same instance, on another port, before the old one ends (by %s)',
  (by) =>
    withSplit(async (split) => {
      const signal = by === 'itself' ? undefined : by;
      await using old = await startChanging(split.registry, signal ? {} : { ON_REFUSED: 'exit' });
      const held = await holdRequest(split, old);
      await using load = await loadOn(split, '/desk');
      await using young = await startChanging(split.registry);
      if (signal) old.process.kill(signal);
      else await old.process.printed(/generation_superseded/);
      await old.tell('release');
      expect(await held.text).toBe('released');
      expect(await load.changed()).toEqual(new Set([`one-${young.port}`]));
      expect(await old.process.ended).toEqual(signal ? { code: null, signal } : { code: 0, signal: null });
      if (signal) expect(old.process.stderr()).toBe('');
      expect(await listed(split.registry, 'desk')).toHaveLength(1);
    }),
);
