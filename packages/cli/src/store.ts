// Where the registry keeps its state. What speaks to a database is loaded only when there is one.
import { createMemoryStore, type Store } from '@reg/registry';
import { isRegError } from '@reg/schema/problem';
import { InvalidArgumentError } from 'commander';

/**
 * @param store as the flag has it
 * @param log what an operator should know
 * @param signal gives up waiting for it
 * @throws InvalidArgumentError for a URL that is none, `store_unavailable` where no database can be used
 */
export async function openStore(
  store: string,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<Store> {
  if (store === 'memory') return createMemoryStore();
  const { openMongoStore } = await import('@reg/store-mongo');
  return orUsage(openMongoStore({ url: store, log, signal }));
}

/** @param error what `openStore` threw. @returns whether nobody answered */
export async function isStoreAway(error: unknown): Promise<boolean> {
  return (await import('@reg/store-mongo')).isAway(error);
}

/** What is wrong with the flag is wrong usage, as with any other. */
export async function orUsage<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (isRegError(error) && error.code === 'invalid_request')
      throw new InvalidArgumentError(`--store: ${error.message}`);
    throw error;
  }
}

/** Where it is; never what lets us in, and no option, since some of these are secrets too. */
export function shownStore(store: string): string {
  return store.replace(/\?.*$/s, '').replace(/\/\/.*@/s, '//');
}
