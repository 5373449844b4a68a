export type { InvalidDocument } from './invalid-documents.ts';
export { type MongoStore, type MongoStoreOptions, openMongoStore } from './mongo-store.ts';
export { type Verified, verifyMongoStore } from './verify.ts';
