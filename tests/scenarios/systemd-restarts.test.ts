// Story: with a slow network the words of an old run arrive while the next one is there already: a register that
// was cut off by a stop, an unregister that took its time. None may take the place of what runs now.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { regSystemd, runOf, untilListed, writeServer } from '../support/installed-unit.ts';
import { skipWithout } from '../support/part.ts';
import { startProcess } from '../support/process.ts';
import { seededRandom, seeds } from '../support/random.ts';
import { count } from '../support/size.ts';
import { startSlowProxy } from '../support/slow-proxy.ts';
import { listed, reg, startRegistry } from '../support/stack.ts';
import { hasSystemd, startUserSystemd } from '../support/systemd.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const withSystemd = test.skipIf(skipWithout('a systemd --user of our own', hasSystemd));
const unit = 'tickets.service';
const restarts = count({ reduced: 20, whole: 100 });

withSystemd.each(seeds([1]))(
  `restarted ${restarts} times with a slow registry, seed %i: what runs is listed, and is never taken out`,
  { timeout: restarts * 15_000 },
  async (seed) => {
    await using folder = await temporaryFolder();
    await using registry = await startRegistry(join(folder.path, 'data'));
    const random = seededRandom(seed);
    await using slow = await startSlowProxy(registry.url, () => 50 + random() * 950);
    await using systemd = await startUserSystemd();
    await using changes = await startProcess('node', [reg, 'watch', '--json', '--registry', registry.url]);
    await changes.printed(/^watching/m);
    const server = await writeServer(folder.path);
    const to = ['--registry', slow.url, '--exec', `node "${server}"`, '--port', String(await freePort())];
    await regSystemd(systemd, 'install', 'tickets', '--url', '/tickets', ...to);
    await systemd.systemctl('start', unit);

    for (let restart = 0; restart < restarts; restart++) {
      // Now at rest, now in the middle of its start, wherever that is: it is stopped while it registers too.
      if (random() < 0.4) await systemd.systemctl('restart', unit);
      else {
        await systemd.systemctl('restart', '--no-block', unit);
        await sleep(random() * 3_000);
      }
      // More than systemd's usual limit of starts.
      await systemd.systemctl('reset-failed', unit);
    }
    await systemd.systemctl('restart', unit);
    const running = await runOf(systemd, unit);
    const [instance] = await untilListed(registry.url, 'tickets', running);
    const isOfRunning = (line: string) =>
      line.includes(`"generation":${instance?.generation}`) && /"instance-(unregistered|expired)"/.test(line);
    expect(changes.stdout().split('\n').filter(isOfRunning)).toEqual([]);

    await systemd.systemctl('stop', unit);
    // What is still on its way arrives, and is refused or changes nothing: the last word is that of the stop.
    await eventually(slow.open, (open) => open === 0, { withinMs: 30_000 });
    expect(await listed(registry.url, 'tickets')).toEqual([]);
  },
);
