// A user that was dropped and made again is another one to the server: connections that were signed in before are
// nobody's from then on, and the driver keeps them as long as they answer.
import { mongo } from 'mongoose';

/** Code of the server. */
export const unauthorized = 13;

/** Other than of somebody who may not do it. */
export function isSignedOut(error: unknown): boolean {
  if (!(error instanceof mongo.MongoServerError) || error.code !== unauthorized) return false;
  return error.message.includes('requires authentication');
}

/** By connections of their own; what is under way on the old ones fails. @throws what the database says */
export async function signInAnew(client: mongo.MongoClient): Promise<void> {
  await client.close();
  await client.connect();
}
