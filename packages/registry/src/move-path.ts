import { regError, type ServiceDefinition } from '@reg/schema';
import { canonicalPath } from './canonical-path.ts';
import { checkReserved, type PathGrant } from './conflict.ts';
import { type Decision, nothingToDo } from './decision.ts';
import type { View } from './store.ts';

export interface PathMove {
  readonly path: string;
  /** The service that holds it, and gets the other's path for it. */
  readonly from: string;
  readonly to: string;
}

/**
 * Two services swap their paths in one revision, so that no request falls between: how a new service
 * takes over from an old one. @throws `service_not_found`, `registration_conflict`, `path_taken`, `path_reserved`
 */
export function decideMovePath(
  view: View,
  { path, from, to }: PathMove,
  grants: readonly PathGrant[],
): Decision {
  const [giver, taker] = [definitionOf(view, from), definitionOf(view, to)];
  const holder = view.paths.get(canonicalPath(path));
  if (holder === to) return nothingToDo;
  if (holder === undefined) {
    const errors = [{ field: 'path', message: 'is held by no service' }];
    throw regError('registration_conflict', `${path} is held by no service`, { errors });
  }
  if (holder !== from) {
    const errors = [{ field: 'from', message: `${path} is held by ${holder}` }];
    throw regError('path_taken', `${path} is held by ${holder}, not by ${from}`, { errors });
  }
  checkReserved(giver.url, to, grants);
  checkReserved(taker.url, from, grants);
  return {
    changes: [
      { kind: 'service-updated', service: { ...taker, url: giver.url } },
      { kind: 'service-updated', service: { ...giver, url: taker.url } },
    ],
    replaces: new Map(),
  };
}

function definitionOf(view: View, name: string): ServiceDefinition {
  const service = view.services.get(name);
  if (!service) throw regError('service_not_found', `there is no service ${name}`);
  return service.definition;
}
