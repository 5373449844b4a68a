// What does not agree with itself among documents that each can be read: pure.
import { canonicalPath } from '@reg/registry';
import { canonicalAddress, type Instance, type ServiceDefinition, slug } from '@reg/schema';
import type { CollectionName, DefinitionDocument } from './documents.ts';
import { documentId, nameText } from './instance-document.ts';

/** One thing that is wrong in the database. */
export interface Finding {
  readonly collection: CollectionName;
  /** Of the document, as text; empty where it is the collection as a whole, or an index of it. */
  readonly id: string;
  /** Empty where it is the document, or the collection, as a whole. */
  readonly path: string;
  readonly message: string;
}

export interface Documents {
  /** Those that are listed. */
  readonly instances: Iterable<{ readonly service: string; readonly instance: Instance }>;
  readonly undefinedServices: readonly ServiceDefinition[];
  readonly definitions: readonly DefinitionDocument[];
}

export function findInconsistencies(documents: Documents): Finding[] {
  return [
    ...documents.undefinedServices.map(
      ({ name }): Finding => ({
        collection: 'definitions',
        id: name,
        path: '',
        message: 'is missing, though there are instances: a registry that runs writes it down',
      }),
    ),
    ...documents.definitions.flatMap(faultsOfDefinition),
    ...sharedAddresses(documents.instances),
  ];
}

/** Its unique indexes hold nobody's path where these fields say something else. */
function faultsOfDefinition({ _id, url, path, slug: kept }: DefinitionDocument): Finding[] {
  const of = (field: string, message: string): Finding => ({
    collection: 'definitions',
    id: nameText(_id),
    path: field,
    message,
  });
  if (typeof url !== 'string') return [of('url', 'is no text')];
  return [
    ...(path === canonicalPath(url) ? [] : [of('path', `is not ${canonicalPath(url)}, as url says`)]),
    ...(kept === slug(nameText(_id)) ? [] : [of('slug', `is not ${slug(nameText(_id))}, as the name says`)]),
  ];
}

function sharedAddresses(instances: Documents['instances']): Finding[] {
  const holders = new Map<string, { readonly service: string; readonly id: string }>();
  const findings: Finding[] = [];
  for (const { service, instance } of instances) {
    for (const [index, { url }] of instance.endpoints.entries()) {
      const address = canonicalAddress(url);
      const holder = holders.get(address);
      if (holder === undefined) holders.set(address, { service, id: instance.instanceId });
      else if (holder.id !== instance.instanceId) {
        const message = `is that of instance ${holder.id} of ${holder.service} too`;
        findings.push(findingOf(service, instance.instanceId, `endpoints.${index}.url`, message));
      }
    }
  }
  return findings;
}

function findingOf(service: string, instanceId: string, path: string, message: string): Finding {
  return { collection: 'services', id: documentId(service, instanceId), path, message };
}
