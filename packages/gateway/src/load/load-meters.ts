// The meters of all services, and who is told what they say: each second those with something to do; those that are
// only waited for, since a policy scales them, every few seconds, so that nobody takes silence for calm.
import type { Catalog, LoadFigures, MeasuredLoad } from '@reg/schema';
import type { RouteTable } from '../routes/route-table.ts';
import { LoadMeter } from './load-meter.ts';

const everyMs = 1_000;
/** Below the 5 s for which a report holds. */
const idleEveryTicks = 3;

export interface LoadMeters {
  of(service: string): LoadMeter;
  close(): void;
}

/** @param table the newest; undefined before the first */
export function startLoadMeters(catalog: Catalog, table: () => RouteTable | undefined): LoadMeters {
  const meters = new Map<string, LoadMeter>();
  let ticks = 0;
  let telling: Promise<void> | undefined;
  let scaled: ReadonlySet<string> = new Set();
  let scaledIn: RouteTable | undefined;

  function of(service: string): LoadMeter {
    const known = meters.get(service);
    if (known) return known;
    const meter = new LoadMeter();
    meters.set(service, meter);
    return meter;
  }

  /** All routes are looked at, so not for each change of many. */
  function lookWhoIsScaled(): void {
    const now = table();
    if (!now || now === scaledIn) return;
    const names = [...now.routes()].filter(({ definition }) => definition.policy?.scaling !== undefined);
    scaled = new Set(names.map(({ definition }) => definition.name));
    scaledIn = now;
  }

  function tick(): void {
    ticks += 1;
    if (ticks % idleEveryTicks === 1) lookWhoIsScaled();
    const all: MeasuredLoad[] = [];
    for (const [service, meter] of meters) {
      meter.tick();
      if (!meter.isIdle) all.push({ service, ...meter.figures(), isScaled: scaled.has(service) });
      else meters.delete(service); // the next request begins with an empty one
    }
    if (ticks % idleEveryTicks === 1) {
      for (const service of scaled) if (!meters.has(service)) all.push({ service, ...calm, isScaled: true });
    }
    if (all.length === 0 || telling) return; // what is late is told with the next
    telling = catalog.loads?.(all).finally(() => {
      telling = undefined;
    });
  }

  const timer = catalog.loads && setInterval(tick, everyMs).unref();
  return { of, close: () => clearInterval(timer) };
}

const calm: LoadFigures = { inFlight: 0, p99Ms: 0, refusalsPerSecond: 0, requestsPerSecond: 0 };
