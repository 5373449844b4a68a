// What a URL of a database says before anybody connects, and how to speak of it: its password is in no message.
import { regError } from '@reg/schema';

export interface StoreUrl {
  /** `127.0.0.1:27017`, or several. */
  readonly hosts: string;
  readonly database: string;
  /** Undefined: nobody's name is told to the database. */
  readonly user: string | undefined;
}

const example = 'mongodb://127.0.0.1:27017/reg';

/** The driver has the last word on it. @throws `invalid_request`, never with the URL itself */
export function parseStoreUrl(url: string): StoreUrl {
  if (/[\s\p{Cc}]/u.test(url))
    throw regError('invalid_request', "the store's URL has a space or the end of a line in it");
  const [, credentials, hosts = '', database = ''] =
    /^mongodb(?:\+srv)?:\/\/(?:([^/@]*)@)?([^/@?]+)(?:\/([^/@?]*))?(?:\?.*)?$/s.exec(url) ?? [];
  if (hosts === '') {
    throw regError(
      'invalid_request',
      `the store's URL is none of a database: it must be like ${example}, with what is special in name and password written as %40`,
    );
  }
  if (database === '')
    throw regError('invalid_request', `the store's URL names no database: like ${example}`);
  return { hosts, database, user: credentials === undefined ? undefined : userOf(credentials) };
}

/** @returns `text` without the password, whoever wrote it there */
export function withoutPassword(text: string, url: string): string {
  const [, password = ''] = /^[^:]*:\/\/[^:@/]*:(.*)@/s.exec(url) ?? [];
  const spellings = [url, password, decoded(password)].filter((spelling) => spelling !== '');
  return spellings.reduce((shown, spelling) => shown.replaceAll(spelling, '***'), text);
}

function userOf(credentials: string): string {
  const [name = ''] = credentials.split(':');
  return decoded(name);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // the driver refuses it, and says so
  }
}
