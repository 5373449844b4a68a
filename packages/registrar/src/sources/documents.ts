// A folder of service documents: each is an instance, as a registration says it. What the service shares comes from
// the policy; a document that says it too has to agree.

import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { instanceIdOf, registrationBody } from '@reg/schema';
import * as z from 'zod';
import { placeAt } from '../place-at.ts';
import { parseText } from '../policies/parse-policy.ts';
import type { Policy, Said } from '../policies/policy.ts';
import { entryKeyOf } from '../said-key.ts';
import { watchFolder } from '../watch-folder.ts';
import { type Found, lookAgain, type Source, type SourceEvents } from './source.ts';

/** A change is seen by the watch; looking finds what that misses. */
const everyMs = 5_000;
const maxDocuments = 10_000;
const maxDocumentBytes = 256 * 1024;

const { url, authorizedRoles, ...others } = registrationBody.shape;
const document = z.strictObject({
  ...others,
  url: url.optional(),
  authorizedRoles: authorizedRoles.optional(),
});

interface Known {
  readonly stamp: string;
  /** As it was when it was right last. */
  readonly found: Found | undefined;
  readonly wrong: string | undefined;
}

export function followDocuments(folder: string, policy: Policy, events: SourceEvents): Source {
  const known = new Map<string, Known>();
  let faults: string | undefined;
  const look = async () => {
    await readChanged(folder, policy, known);
    const wrong = [...known.values()].flatMap((one) => one.wrong ?? []);
    faults = wrong.length > 0 ? wrong.join('; ') : undefined;
    return [...known.values()].flatMap(({ found }) => found ?? []);
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

/** One that an edit made wrong stays as it was; one that is deleted is gone. */
async function readChanged(folder: string, policy: Policy, known: Map<string, Known>): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^[^.].*\.(ya?ml|json)$/.test(name));
  if (names.length > maxDocuments) throw new Error(`${folder} has more than ${maxDocuments} documents`);
  const there = new Set(names);
  for (const name of known.keys()) if (!there.has(name)) known.delete(name);
  for (const name of names) {
    const path = join(folder, name);
    const { ino, size, mtimeMs } = await stat(path);
    const stamp = `${ino} ${size} ${mtimeMs}`;
    const before = known.get(name);
    if (before?.stamp === stamp) continue;
    const one =
      size > maxDocumentBytes ? 'is too large' : foundIn(await readFile(path, 'utf8'), name, policy);
    if (typeof one === 'string') known.set(name, { stamp, found: before?.found, wrong: `${path}: ${one}` });
    else known.set(name, { stamp, found: one, wrong: undefined });
  }
}

/** Undefined: it is of another service. A text: what is wrong with it. */
function foundIn(text: string, file: string, { service, entry }: Policy): Found | string | undefined {
  const read = parseText(text, document);
  if ('faults' in read)
    return read.faults.map(({ line, path, message }) => `${line}: ${path} ${message}`).join(', ');
  const { name = service, url, authorizedRoles, access, instanceId, ...others } = read.value;
  if (name !== service) return undefined;
  if (!entry) return 'its policy has no url';
  const shared = {
    url: url ?? entry.url,
    authorizedRoles: authorizedRoles ?? entry.authorizedRoles,
    access: access ?? entry.access,
  };
  if (entryKeyOf(shared) !== entryKeyOf(entry)) return 'its url, roles or access are not those of its policy';
  const { runId: _, generation: __, lease: ___, owner: ____, redefine: _____, ...its } = others;
  const said = { ...entry, ...its } as Said;
  const [fault] = registrationBody.safeParse(said).error?.issues ?? [];
  if (fault) return `${fault.path.join('.')} ${fault.message}`;
  const first = said.endpoints[0]?.url ?? '';
  const instance = instanceId ?? (first === '' ? file.slice(0, -extname(file).length) : instanceIdOf(first));
  return { ...placeAt(first), instance, identity: undefined, said, instanceId };
}
