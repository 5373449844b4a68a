// `--registry-path`: whether the registry may be shown behind the gateway as it was asked for.
import { networkInterfaces } from 'node:os';
import { parseRegistryPath } from '@reg/gateway';
import { InvalidArgumentError } from 'commander';

export interface RegistryPathSettings {
  readonly registryPath?: string | undefined;
  readonly registryToken?: string | undefined;
  readonly gatewayOnly?: boolean | undefined;
  readonly gatewayPort: number;
  /** With `gatewayOnly`, one that is not in memory: no registry runs at all. */
  readonly store?: string | undefined;
  /** Comma-separated; read with `gatewayOnly` alone. */
  readonly registry: string;
}

/** @throws InvalidArgumentError */
export function checkRegistryPath(settings: RegistryPathSettings): void {
  const { registryPath, registryToken, gatewayOnly, gatewayPort, registry, store = 'memory' } = settings;
  if (registryPath === undefined) return;
  try {
    parseRegistryPath(registryPath);
  } catch (error) {
    throw new InvalidArgumentError(`--registry-path: ${(error as Error).message}`);
  }
  // The registry's own port takes loopback names and pages of its own only; the gateway's takes any.
  if (registryToken === undefined) {
    throw new InvalidArgumentError(
      '--registry-path needs --registry-token: whoever reaches the gateway could register',
    );
  }
  if (gatewayOnly && store !== 'memory') {
    throw new InvalidArgumentError('--registry-path needs a registry: --gateway-only --store runs none');
  }
  const itself = gatewayOnly && registry.split(',').find((one) => isHere(new URL(one.trim()), gatewayPort));
  if (!itself) return;
  throw new InvalidArgumentError(`--registry ${itself} is this gateway itself: name the registry's own port`);
}

/** Requests would go round in it for ever. */
function isHere({ hostname, port, protocol }: URL, gatewayPort: number): boolean {
  if (Number(port || (protocol === 'https:' ? 443 : 80)) !== gatewayPort) return false;
  const name = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (name === 'localhost' || name.startsWith('127.') || /^(0\.0\.0\.0|::1?)$/.test(name)) return true;
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === name));
}
