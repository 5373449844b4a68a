export type { InvalidDocument } from './invalid-documents.ts';
export { type MongoStore, type MongoStoreOptions, openMongoStore } from './mongo-store.ts';
export { isAway } from './start-fault.ts';
export { type Verified, verifyMongoStore } from './verify.ts';
