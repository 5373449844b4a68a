// A folder of service documents: each is an instance, as a registration says it. What the service shares comes from
// the policy; a document that says it too has to agree.

import { join } from 'node:path';
import { instanceIdOf, registrationBody } from '@reg/schema';
import * as z from 'zod';
import { type KnownFile, type ParsedFile, readChangedFiles } from '../changed-files.ts';
import { placeAt } from '../place-at.ts';
import { parseText } from '../policies/parse-policy.ts';
import type { Policy, Said } from '../policies/policy.ts';
import { entryKeyOf } from '../said-key.ts';
import { watchFolder } from '../watch-folder.ts';
import { type Found, lookAgain, type Source, type SourceEvents } from './source.ts';

/** A change is seen by the watch; looking finds what that misses. */
const everyMs = 5_000;

const { url, authorizedRoles, ...others } = registrationBody.shape;
const document = z.strictObject({
  ...others,
  url: url.optional(),
  authorizedRoles: authorizedRoles.optional(),
});

export function followDocuments(folder: string, policy: Policy, events: SourceEvents): Source {
  const known = new Map<string, KnownFile<Found, string>>();
  const reading = {
    what: 'documents',
    parse: (text: string) => foundIn(text, policy),
    faultOf: (message: string) => message,
  };
  let faults: string | undefined;
  const look = async () => {
    await readChangedFiles(folder, known, reading);
    const all = [...known].flatMap(([name, { faults }]) =>
      faults.map((fault) => `${join(folder, name)}: ${fault}`),
    );
    faults = all.length > 0 ? all.join('; ') : undefined;
    return [...known.values()].flatMap(({ value }) => value ?? []);
  };
  // One that is wrong is told of, and hides no other.
  const trouble = (why: string | undefined) => events.trouble(why ?? faults);
  const looking = lookAgain(look, everyMs, { ...events, trouble });
  const watcher = watchFolder(folder, looking.soon);
  return {
    close() {
      watcher?.close();
      looking.close();
    },
  };
}

/** Of another service it means nothing here. */
function foundIn(text: string, { service, entry }: Policy): ParsedFile<Found, string> {
  const read = parseText(text, document);
  if ('faults' in read)
    return wrong(read.faults.map(({ line, path, message }) => `${line}: ${path} ${message}`).join(', '));
  const { name = service, url, authorizedRoles, access, instanceId, ...others } = read.value;
  if (name !== service) return { value: undefined };
  if (!entry) return wrong('its policy has no url');
  const shared = {
    url: url ?? entry.url,
    authorizedRoles: authorizedRoles ?? entry.authorizedRoles,
    access: access ?? entry.access,
  };
  if (entryKeyOf(shared) !== entryKeyOf(entry))
    return wrong('its url, roles or access are not those of its policy');
  const { runId: _, generation: __, lease: ___, owner: ____, redefine: _____, ...its } = others;
  const said = { ...entry, ...its } as Said;
  const [fault] = registrationBody.safeParse(said).error?.issues ?? [];
  if (fault) return wrong(`${fault.path.join('.')} ${fault.message}`);
  const [first] = said.endpoints;
  if (!first) return wrong('it has no endpoint');
  const instance = instanceId ?? instanceIdOf(first.url);
  return { value: { ...placeAt(first.url), instance, identity: undefined, said, instanceId } };
}

function wrong(fault: string): { readonly faults: readonly string[] } {
  return { faults: [fault] };
}
