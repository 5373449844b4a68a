// The shell of loads.ts: who may report what; and what holds no more is looked for while reports come.
import { type LoadReport, regError, type ServiceLoad } from '@reg/schema';
import type { Clock } from './clock.ts';
import { createLoads } from './loads.ts';
import type { View } from './store.ts';
import { type Asking, checkService } from './writer.ts';

const sweepEveryMs = 10_000;

export interface LoadReports {
  /** A gateway's report needs no writer. @throws `not_permitted`, `service_not_found`, `limit_reached` */
  report(service: string, report: LoadReport, asking?: Asking): void;
  of(service: string): ServiceLoad | undefined;
}

export function createLoadReports(view: View, clock: Clock): LoadReports {
  const loads = createLoads();
  let sweptAt = clock.now();
  return {
    report(service, report, { writer, origin } = {}) {
      // Whoever may follow the changes may be a gateway: it says what it has applied, and what it measured.
      if (!('gateway' in report)) checkService(writer, service);
      if (!view.services.has(service)) throw regError('service_not_found', `there is no service ${service}`);
      const now = clock.now();
      if (now - sweptAt > sweepEveryMs) {
        loads.sweep(now);
        sweptAt = now;
      }
      loads.report(service, report, origin?.by ?? 'somebody', now);
    },
    of: (service) => loads.of(service, clock.now()),
  };
}
