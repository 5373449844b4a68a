// A folder of service documents: each is an instance, as a registration says it. What the service shares comes from
// the policy; a document that says it too has to agree.
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { instanceIdOf, registrationBody } from '@reg/schema';
import * as z from 'zod';
import { parseText } from '../policies/parse-policy.ts';
import type { Policy, Said } from '../policies/policy.ts';
import { entryKeyOf } from '../said-key.ts';
import { type Found, lookAgain, type Source, type SourceEvents } from './source.ts';

const everyMs = 1_000;
const maxDocuments = 10_000;
const maxDocumentBytes = 256 * 1024;

const { url, authorizedRoles, ...others } = registrationBody.shape;
const document = z.strictObject({
  ...others,
  url: url.optional(),
  authorizedRoles: authorizedRoles.optional(),
});

export function followDocuments(folder: string, policy: Policy, events: SourceEvents): Source {
  let faults: string | undefined;
  const look = async () => {
    const { found, wrong } = await readDocuments(folder, policy);
    faults = wrong.length > 0 ? wrong.join('; ') : undefined;
    return found;
  };
  // One that is wrong is told of, and hides no other.
  const trouble = (why: string | undefined) => events.trouble(why ?? faults);
  return lookAgain(look, everyMs, { ...events, trouble });
}

async function readDocuments(folder: string, policy: Policy) {
  const names = (await readdir(folder)).filter((name) => /^[^.].*\.(ya?ml|json)$/.test(name)).sort();
  if (names.length > maxDocuments) throw new Error(`${folder} has more than ${maxDocuments} documents`);
  const found: Found[] = [];
  const wrong: string[] = [];
  for (const name of names) {
    const text = await readFile(join(folder, name), 'utf8');
    const one = text.length > maxDocumentBytes ? 'is too large' : foundIn(text, name, policy);
    if (typeof one === 'string') wrong.push(`${join(folder, name)}: ${one}`);
    else if (one) found.push(one);
  }
  return { found, wrong };
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
  const { hostname, port } = new URL(first);
  const place = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || undefined };
  const instance = instanceId ?? (first === '' ? file.slice(0, -extname(file).length) : instanceIdOf(first));
  return { ...place, instance, identity: undefined, said, instanceId };
}
