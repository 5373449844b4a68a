import { expect, test } from 'vitest';
import type { HealthState } from './checks/health.ts';
import { type Action, type Desired, reconcile, type Seen, type SeenService } from './reconcile.ts';

const owner = 'registrar:here';
const now = 1_000_000;

const tickets: Desired = {
  service: 'tickets',
  entryKey: 'entry',
  policyKey: undefined,
  unregisterAfterMs: 60_000,
};
const there: SeenService = { service: 'tickets', entryKey: 'entry', policyKey: '{}' };

function health(state: HealthState, since = now) {
  return { state, since, because: 'GET /health: 200' };
}

const up = { owner, runId: 'socket-1.a', state: 'up', saidKey: 'said' } as const;

function instance(changes: Partial<Seen> = {}): Seen {
  return {
    ...{ service: 'tickets', instanceId: 'one', running: true, identity: 'socket-1', saidKey: 'said' },
    ...{ health: health('passing'), listed: undefined, drainedByUs: false, stopping: false, busy: false },
    ...changes,
  };
}

function decide(
  instances: readonly Seen[],
  {
    desired = [tickets],
    services = [there],
    complete = true,
  }: { desired?: Desired[]; services?: SeenService[]; complete?: boolean } = {},
): Action[] {
  return reconcile(
    {
      desired: new Map(desired.map((one) => [one.service, one])),
      services: new Map(services.map((one) => [one.service, one])),
      ...{ instances, complete, owner },
    },
    now,
  );
}

const undrained = { ...up, state: 'draining' } as const;
const theirs = { ...up, owner: 'systemd:tickets.service' };

test.each<[string, Partial<Seen>, Action['do'] | undefined, RegExp?]>([
  ['passes and is not listed', {}, 'register', /200/],
  ['warns and is not listed', { health: health('warning') }, 'register'],
  ['is starting', { health: health('starting') }, undefined],
  ['fails and is not listed', { health: health('failing') }, undefined],
  ['passes and is listed', { listed: up }, undefined],
  ['is listed and says something else now', { listed: up, saidKey: 'other' }, 'update'],
  ['has failed just now', { listed: up, health: health('failing') }, 'drain', /failing/],
  ['fails and is drained', { listed: undrained, health: health('failing') }, undefined],
  [
    'has failed for long',
    { listed: undrained, health: health('failing', now - 60_000) },
    'unregister',
    /failing/,
  ],
  ['passes again, drained by us', { listed: undrained, drainedByUs: true }, 'register', /again/],
  ['passes, drained by an operator', { listed: undrained }, undefined],
  ['is being stopped', { listed: undrained, drainedByUs: true, stopping: true }, undefined],
  ['is gone', { listed: up, running: false }, 'unregister', /process is gone/],
  ['was followed by another process', { listed: up, identity: 'socket-2' }, 'unregister', /another process/],
  ['has a source that has not looked', { listed: up, running: undefined }, undefined],
  ['is gone and is not listed', { running: false }, undefined],
  ['is another’s and fails', { listed: theirs, health: health('failing', 0) }, undefined],
  ['is another’s and is gone', { listed: theirs, running: false }, undefined],
  ['has something under way', { listed: up, running: false, busy: true }, undefined],
  ['cannot be told from the next one', { listed: { ...up, runId: 'at.b' }, identity: undefined }, undefined],
])('one that %s: %s', (_, changes, expected, because = /./) => {
  const [action] = decide([instance(changes)]);
  expect(action?.do).toBe(expected);
  if (action) expect(action.because).toMatch(because);
});

test('what is ours and has no policy goes, but not while a policy file cannot be read', () => {
  const left = instance({ listed: up, running: undefined });
  expect(decide([left], { desired: [] })).toMatchObject([{ do: 'drain', because: 'its policy is gone' }]);
  expect(decide([{ ...left, listed: undrained }], { desired: [] })).toMatchObject([{ do: 'unregister' }]);
  expect(decide([left], { desired: [], complete: false })).toEqual([]);
});

// Story: an edit of the roles was said by all instances at once; each but the first lost, or made a revision more.
test('what all share is changed by one of them; the others follow when it is seen', () => {
  const services = [{ ...there, entryKey: 'before' }];
  const all = ['one', 'two', 'three'].map((instanceId) => instance({ instanceId, listed: up }));
  expect(decide(all, { services })).toMatchObject([{ do: 'update', instanceId: 'one' }]);
  expect(decide(all)).toEqual([]);
});

test('the policy is set where the service is there and has another', () => {
  const desired = [{ ...tickets, policyKey: '{"checks":[]}' }];
  expect(decide([], { desired })).toMatchObject([{ do: 'set-policy', service: 'tickets' }]);
  expect(decide([], { desired, services: [] })).toEqual([]);
  expect(decide([], { desired, services: [{ ...there, policyKey: '{"checks":[]}' }] })).toEqual([]);
});

test('doing what it says leaves nothing to do, whatever the state was', () => {
  const states: HealthState[] = ['starting', 'passing', 'warning', 'failing'];
  const listings = [undefined, up, undrained, { ...up, saidKey: 'other' }, theirs];
  for (const state of states)
    for (const listed of listings)
      for (const running of [true, false])
        for (const drainedByUs of [true, false]) {
          const before = instance({ health: health(state), listed, running, drainedByUs });
          const [action] = decide([before]);
          const after = action ? carriedOut(before, action) : before;
          expect(decide([after]), JSON.stringify({ state, listed, running, action })).toEqual([]);
        }
});

function carriedOut(seen: Seen, action: Action): Seen {
  if (action.do === 'unregister') return { ...seen, listed: undefined };
  if (action.do === 'drain')
    return { ...seen, listed: { ...(seen.listed ?? up), state: 'draining' }, drainedByUs: true };
  return { ...seen, listed: up, drainedByUs: false };
}
