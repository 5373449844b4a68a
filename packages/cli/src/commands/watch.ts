// `reg watch`: a line per change, from now on; a registry that restarts is followed.
import { watch as watchRegistry } from '@reg/client';
import type { Change, ChangeSet, Snapshot } from '@reg/schema';
import type { RegistryAccess } from '../api.ts';
import { note, printJson, printLine } from '../print.ts';

export interface WatchOptions extends RegistryAccess {
  readonly json?: boolean;
}

export async function watch({ registry, registryToken: token, json }: WatchOptions): Promise<void> {
  let following = false;
  for await (const item of watchRegistry({ registry, token })) {
    if ('changes' in item) printChanges(item, json);
    else if (following) printSnapshot(item, json);
    else note(`watching ${registry} after revision ${item.revision}`);
    following = true;
  }
}

function printChanges({ revision, at, changes }: ChangeSet, json: boolean | undefined): void {
  for (const change of changes) {
    if (json) printJson({ revision, at, ...change });
    else printLine([new Date(at).toISOString(), change.kind, ...wordsOf(change)].join('  '));
  }
}

/** The registry began anew, or we were away too long to be told each change: what was known is void. */
function printSnapshot({ epoch, revision, services }: Snapshot, json: boolean | undefined): void {
  if (json) {
    printJson({ kind: 'snapshot', epoch, revision, services });
    return;
  }
  const instances = services.reduce((sum, service) => sum + service.instances.length, 0);
  printLine(
    `snapshot  ${services.length} services, ${instances} instances; what came before no longer counts`,
  );
}

function wordsOf(change: Change): string[] {
  if (change.kind === 'service-updated') return [change.service.name, change.service.url];
  if (change.kind === 'service-removed') return [change.service];
  if ('instance' in change) {
    const { instanceId, endpoints } = change.instance;
    return [change.service, instanceId, endpoints.map(({ url }) => url).join(', ')];
  }
  return [change.service, change.instanceId, ...(change.reason === undefined ? [] : [change.reason])];
}
