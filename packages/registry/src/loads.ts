// What was said of late of how loaded each service is: in memory, for as long as it holds. Nothing here decides
// what is high.
import {
  type KnownFigures,
  type LoadFigures,
  type LoadReport,
  largerFigures,
  loudest,
  regError,
  type ServiceLoad,
  sumFigures,
} from '@reg/schema';

/** Gateways say so each second. */
const gatewayHoldsMs = 5_000;
const instanceHoldsMs = 30_000;
const toldHoldsMs = 60_000;
/** Of each kind, for one service. */
const sayersAtMost = 1_000;

type Told = NonNullable<ServiceLoad['told']>;

type Until<Said> = Map<string, Said & { readonly until: number }>;

interface Sayings {
  readonly gateways: Until<LoadFigures>;
  readonly instances: Until<KnownFigures>;
  /** By the instance that speaks for itself; `''`: whoever speaks for the service. */
  readonly told: Until<Told>;
}

export interface Loads {
  /** @param by who asks, where the report does not say. @throws `limit_reached` */
  report(service: string, report: LoadReport, by: string, now: number): void;
  of(service: string, now: number): ServiceLoad | undefined;
  /** Forgets what holds no more. */
  sweep(now: number): void;
}

export function createLoads(): Loads {
  const services = new Map<string, Sayings>();

  function tell(
    { told }: Sayings,
    report: Extract<LoadReport, { level: string }>,
    asker: string,
    now: number,
  ): void {
    const { level, forMs = toldHoldsMs, instanceId, by = instanceId ?? asker } = report;
    if (level === 'normal' && instanceId !== undefined) told.delete(instanceId);
    else {
      if (level === 'normal') told.clear();
      keep(told, instanceId ?? '', { level, until: now + forMs, by }, now);
    }
  }

  return {
    report(service, report, by, now) {
      const said = services.get(service) ?? { gateways: new Map(), instances: new Map(), told: new Map() };
      services.set(service, said);
      if ('level' in report) tell(said, report, by, now);
      else if ('gateway' in report) {
        const { gateway, ...figures } = report;
        keep(said.gateways, gateway, { ...figures, until: now + gatewayHoldsMs }, now);
      } else {
        const { instanceId, ...figures } = report;
        keep(said.instances, instanceId, { ...figures, until: now + instanceHoldsMs }, now);
      }
    },
    of(service, now) {
      const said = services.get(service);
      if (!said) return undefined;
      const gateways = lasting(said.gateways, now);
      const instances = lasting(said.instances, now);
      const told = loudest(lasting(said.told, now));
      if (gateways.length + instances.length === 0 && !told) return undefined;
      // A gateway's requests are the instances', too: they must not count twice.
      const figures = largerFigures(sumFigures(gateways), sumFigures(instances));
      return { ...figures, gateways: gateways.length, ...(told && { told }) };
    },
    sweep(now) {
      for (const [service, said] of services) {
        for (const sayings of Object.values(said)) forgetPast(sayings, now);
        if (Object.values(said).every(({ size }) => size === 0)) services.delete(service);
      }
    },
  };
}

function keep<Said>(sayings: Until<Said>, who: string, said: Said & { until: number }, now: number): void {
  if (!sayings.has(who) && sayings.size >= sayersAtMost) {
    forgetPast(sayings, now);
    if (sayings.size >= sayersAtMost)
      throw regError('limit_reached', `${sayersAtMost} say something of this service, which is the limit`);
  }
  sayings.set(who, said);
}

function forgetPast<Said>(sayings: Until<Said>, now: number): void {
  for (const [who, { until }] of sayings) if (until <= now) sayings.delete(who);
}

function lasting<Said>(sayings: Until<Said>, now: number): (Said & { readonly until: number })[] {
  return [...sayings.values()].filter(({ until }) => until > now);
}
