// Every value that is in force for a service, and where it comes from.
import { policyDefaults, type ServicePolicy } from '@reg/schema';
import { effectivePolicy, scalingDrainMs } from './effective-policy.ts';
import { defaultEndpoints, type Policy, runsOf } from './policy.ts';

export interface PolicyValue {
  /** `checking.intervalMs`. */
  readonly path: string;
  readonly value: unknown;
  readonly origin: 'file' | 'registry' | 'default';
}

type Values = Readonly<Record<string, unknown>>;

/** @param kept what the registry has: it counts where the file says nothing that the registry would keep */
export function explainPolicy(policy: Policy | undefined, kept: ServicePolicy | undefined): PolicyValue[] {
  const said: ServicePolicy = policy?.shared ?? kept ?? {};
  const origin = policy?.shared ? 'file' : 'registry';
  const { checking, timeouts, ...defaults } = policyDefaults;
  const scaled = said.scaling !== undefined || policy?.file.scaling !== undefined;
  return [
    ...(policy ? ownValues(policy) : []),
    ...checkValues(policy, said, origin),
    ...filled('checking', said.checking, checking, origin),
    ...(said.fallback ? [{ path: 'fallback.use', value: said.fallback.use, origin } as const] : []),
    ...(said.fallback
      ? filled('fallback', only(said.fallback, 'methods'), { methods: defaults.fallback.methods }, origin)
      : []),
    ...(scaled ? filled('scaling', said.scaling, defaults.scaling, origin) : []),
    ...(scaled
      ? filled(
          'scaling',
          only(policy?.file.scaling ?? {}, 'drainMs', 'start'),
          { drainMs: scalingDrainMs },
          'file',
        )
      : []),
    ...filled('timeouts', said.timeouts, timeouts, origin),
  ];
}

/** What only the file can say. */
function ownValues(policy: Policy): PolicyValue[] {
  const { name, $schema, checks, checking, fallback, scaling, timeouts, ...own } = policy.file;
  const values: PolicyValue[] = [
    { path: 'name', value: policy.service, origin: name === undefined ? 'default' : 'file' },
    ...Object.entries(own).map(([path, value]) => ({ path, value, origin: 'file' as const })),
  ];
  if (policy.entry && own.access === undefined)
    values.push({ path: 'access', value: 'token', origin: 'default' });
  if (policy.entry && own.endpoints === undefined)
    values.push({ path: 'endpoints', value: defaultEndpoints(policy.entry), origin: 'default' });
  const runs = runsOf(policy);
  if (own.runs === undefined && runs) values.push({ path: 'runs', value: runs, origin: 'default' });
  return values;
}

function checkValues(
  policy: Policy | undefined,
  said: ServicePolicy,
  origin: PolicyValue['origin'],
): PolicyValue[] {
  if (said.checks) return [{ path: 'checks', value: said.checks, origin }];
  const checks = policy ? effectivePolicy(policy, undefined).checks : [];
  return checks.length > 0 ? [{ path: 'checks', value: checks, origin: 'default' }] : [];
}

/** What was said, then what holds where nothing was. */
function filled(
  path: string,
  said: Values | undefined,
  defaults: Values,
  origin: PolicyValue['origin'],
): PolicyValue[] {
  const names = [...new Set([...Object.keys(defaults), ...Object.keys(said ?? {})])];
  return names.flatMap((name) => {
    const value = said?.[name] ?? defaults[name];
    return [{ path: `${path}.${name}`, value, origin: said?.[name] === undefined ? 'default' : origin }];
  });
}

function only<Value extends object>(value: Value, ...names: (keyof Value)[]): Values {
  return Object.fromEntries(
    names.flatMap((name) => (value[name] === undefined ? [] : [[name, value[name]]])),
  );
}
