// Whether a service has more to do than its instances should: rules only. Numbers go in, a word comes out.
import { loudest, type ServiceLoad, type ServicePolicy, sumFigures } from '@reg/schema';

export type Pressure = 'high' | 'normal' | 'low' | 'unknown';

/** What of it is looked at. */
export type Load = Omit<ServiceLoad, 'requestsPerSecond' | 'gateways'>;

export interface Judged {
  readonly pressure: Pressure;
  readonly because: string;
}

type Bounds = NonNullable<NonNullable<ServicePolicy['scaling']>['highLoad']>;

/** Below this share of what is high it is low. */
const lowShare = 0.5;

/**
 * Who says that it is high is believed until the time is over; who says that it is normal only takes that back. Of
 * the measured any bound that is passed makes it high, and all have to be far below to make it low.
 * @param instances that get requests
 */
export function judgeLoad(
  load: Load | undefined,
  bounds: Bounds | undefined,
  instances: number,
  now: number,
): Judged {
  const { told } = load ?? {};
  if (told?.level === 'high' && told.until > now) return { pressure: 'high', because: `${told.by} says so` };
  const measures = Object.entries(bounds ?? {}).flatMap(([name, bound]) => {
    const value = measureOf(name as keyof Bounds, load, instances);
    return bound === undefined ? [] : [{ name: names[name as keyof Bounds], value, bound }];
  });
  const passed = measures.find(({ value, bound }) => value !== undefined && value > bound);
  if (passed)
    return { pressure: 'high', because: `${passed.name} ${round(passed.value)}, above ${passed.bound}` };
  if (measures.some(({ value }) => value === undefined))
    return { pressure: 'unknown', because: 'nobody reports its load' };
  if (measures.some(({ value = 0, bound }) => value >= bound * lowShare))
    return { pressure: 'normal', because: 'within its bounds' };
  const [first] = measures;
  const because = first
    ? `${first.name} ${round(first.value)}, below half of ${first.bound}`
    : 'nobody says it is high';
  return { pressure: 'low', because };
}

const names = {
  inFlight: 'requests in flight at each',
  p99Ms: 'p99 in ms',
  refusalsPerSecond: 'refusals a second',
} as const satisfies Record<keyof Bounds, string>;

function measureOf(name: keyof Bounds, load: Load | undefined, instances: number): number | undefined {
  if (name !== 'inFlight') return load?.[name];
  return load?.inFlight === undefined ? undefined : load.inFlight / Math.max(1, instances);
}

function round(value: number | undefined): number {
  return Math.round((value ?? 0) * 10) / 10;
}

/** What several registries know apart: requests add up, the slowest counts, and any that was told. */
export function sumLoads(loads: readonly (Load | undefined)[]): Load | undefined {
  const given = loads.filter((one) => one !== undefined);
  if (given.length === 0) return undefined;
  const told = loudest(given.flatMap((one) => one.told ?? []));
  return { ...sumFigures(given), ...(told && { told }) };
}
