// No figure is looked at: a busy machine would make them lie. That they start, answer right and print is all.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { hasMongod } from '../support/mongod.ts';
import { skipWithout } from '../support/part.ts';
import { run } from '../support/run.ts';
import { root } from '../support/stack.ts';

const hasWrk = !spawnSync('wrk', ['-v']).error;

/** @returns what it prints; it fails where an answer is wrong */
async function smoke(bench: string): Promise<string> {
  const { stdout } = await run([process.execPath, `${root}bench/main.mjs`, bench, '--smoke']);
  return stdout;
}

test.skipIf(skipWithout('wrk', hasWrk))('the gateway bench: ours and both peers answer right', async () => {
  const printed = await smoke('gateway');

  for (const gateway of ['reg', 'reg, registry remote', '@fastify/http-proxy', 'express']) {
    expect(printed).toMatch(new RegExp(`^GET 1 kB, JWT +${gateway} +\\d+ +[\\d.]+`, 'm'));
  }
});

test('the registry bench: register, renew, look up', async () => {
  const printed = await smoke('registry');

  for (const operation of ['register', 'renew', 'lookup']) {
    expect(printed).toMatch(new RegExp(`^${operation} +reg, in memory +\\d+`, 'm'));
  }
});

test('the registrar bench: reconcile, and checks on one core', async () => {
  const printed = await smoke('registrar');

  expect(printed).toMatch(/^reconcile, p50 ms +[\d.]+/m);
  expect(printed).toMatch(/^failed +0 /m);
});

test('the placement bench: in one process and across the network', async () => {
  const printed = await smoke('placement');

  expect(printed).toMatch(/^one process +[\d.]+/m);
  expect(printed).toMatch(/^gateway across the network +[\d.]+/m);
});

test.skipIf(skipWithout('wrk', hasWrk) || skipWithout('mongod', hasMongod))(
  'the bench of the store over MongoDB: all its parts',
  async () => {
    const printed = await smoke('store-mongo');

    for (const what of [
      'bare loop of upserts',
      'registry in MongoDB',
      'its HTTP API',
      'lookups',
      'dispatch',
    ]) {
      expect(printed).toMatch(new RegExp(`^${what} +\\d+/s`, 'm'));
    }
    expect(printed).toMatch(/^writes for 100 leases +[\d.]+\/s +\d+ renewals\/s/m);
    expect(printed).toMatch(/^call to another's table +p50 [\d.]+/m);
    expect(printed).toMatch(/^1000 instances: ready +\d+ ms/m);
  },
);
