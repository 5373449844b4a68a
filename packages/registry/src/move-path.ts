import { formerUrlsKept, regError, type ServiceDefinition } from '@reg/schema';
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
      { kind: 'service-updated', service: movedTo(giver.url, taker) },
      { kind: 'service-updated', service: movedTo(taker.url, giver) },
    ],
    replaces: new Map(),
  };
}

function movedTo(url: string, definition: ServiceDefinition): ServiceDefinition {
  const former = [definition.url, ...(definition.formerUrls ?? [])].filter((path) => !samePath(path, url));
  return { ...definition, url, formerUrls: former.slice(0, formerUrlsKept) };
}

/**
 * What an instance means that knows nothing of a move, since it was started before, or with the settings of
 * before: a path that its service had is the one that it has now. Who says `redefine` means what it says.
 */
export function asMoved(
  said: ServiceDefinition,
  { url, formerUrls }: ServiceDefinition,
  redefine = false,
): ServiceDefinition {
  if (formerUrls === undefined) return said;
  const meant = redefine ? [url] : [url, ...formerUrls];
  return meant.some((path) => samePath(path, said.url)) ? { ...said, url, formerUrls } : said;
}

function samePath(one: string, other: string): boolean {
  return canonicalPath(one) === canonicalPath(other);
}

function definitionOf(view: View, name: string): ServiceDefinition {
  const service = view.services.get(name);
  if (!service) throw regError('service_not_found', `there is no service ${name}`);
  return service.definition;
}
