// Which source a policy asks for. Where it names none, the entry itself is the one instance there is.
import { instanceIdOf } from '@reg/schema';
import { placeAt } from '../place-at.ts';
import { type Policy, runsOf } from '../policies/policy.ts';
import { followDocker } from './docker.ts';
import { followDocuments } from './documents.ts';
import { followPorts } from './ports.ts';
import type { Source, SourceEvents } from './source.ts';
import { followSystemd } from './systemd.ts';

export function startSource(policy: Policy, events: SourceEvents): Source {
  const runs = runsOf(policy);
  if (!runs) {
    const [first] = policy.file.endpoints ?? [];
    if (first)
      events.found([{ ...placeAt(first.url), instance: instanceIdOf(first.url), identity: undefined }]);
    return { close() {} };
  }
  if ('ports' in runs) return followPorts(runs, events);
  if ('systemd' in runs) return followSystemd(runs, events);
  if ('docker' in runs) return followDocker(runs.docker, events);
  return followDocuments(runs.documents, policy, events);
}
