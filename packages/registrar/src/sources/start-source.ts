// Which source a policy asks for. Where it names none, the entry itself is the one instance there is.
import { instanceIdOf } from '@reg/schema';
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
    if (first) {
      const { hostname, port } = new URL(first.url);
      const place = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || undefined };
      events.found([{ ...place, instance: instanceIdOf(first.url), identity: undefined }]);
    }
    return { close() {} };
  }
  if ('ports' in runs) return followPorts(runs, events);
  if ('systemd' in runs) return followSystemd(runs, events);
  if ('docker' in runs) return followDocker(runs.docker, events);
  return followDocuments(runs.documents, policy, events);
}
