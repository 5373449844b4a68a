export { createFakeClock, type FakeClock } from './fake-clock.ts';
export { type HistoryOptions, runHistory } from './history.ts';
export { type OpenedStore, type StoreSuiteOptions, type SuiteTest, storeSuite } from './store-suite.ts';
export { createTestRegistry, type TestRegistry } from './test-registry.ts';
