// What holds for a service: as the file says, else as the registry keeps it, else the default.
import { type Check, policyDefaults, type ServicePolicy } from '@reg/schema';
import type { Policy } from './policy.ts';

/** Who listens there is taken for one that works: it is all that can be asked of anybody. */
const defaultChecks: readonly Check[] = [{ type: 'tcp' }];

/** With a value for each; a policy has no member that is there and undefined, since it was JSON or YAML. */
type Filled<Defaults> = { readonly [Name in keyof Defaults]: number };

type Checking = Filled<typeof policyDefaults.checking>;
export type Scaling = Filled<typeof policyDefaults.scaling> & {
  readonly highLoad?: NonNullable<ServicePolicy['scaling']>['highLoad'];
  readonly drainMs: number;
};

export interface EffectivePolicy {
  readonly checks: readonly Check[];
  readonly commandChecks: readonly { readonly command: readonly string[] }[];
  readonly checking: Checking;
  /** Undefined: nobody asked for it. */
  readonly scaling: Scaling | undefined;
}

export const scalingDrainMs = 5_000;

/** @param kept what the registry has; it counts where the file says nothing of what the registry would keep */
export function effectivePolicy(
  { entry, shared, file }: Policy,
  kept: ServicePolicy | undefined,
): EffectivePolicy {
  const said = shared ?? kept ?? {};
  const { commandChecks = [] } = file;
  const checks = said.checks ?? (entry && commandChecks.length === 0 ? defaultChecks : []);
  const scaled = said.scaling !== undefined || file.scaling !== undefined;
  return {
    checks,
    commandChecks,
    checking: { ...policyDefaults.checking, ...said.checking } as Checking,
    scaling: scaled
      ? ({
          ...policyDefaults.scaling,
          drainMs: file.scaling?.drainMs ?? scalingDrainMs,
          ...said.scaling,
        } as Scaling)
      : undefined,
  };
}
