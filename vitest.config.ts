import { defineConfig } from 'vitest/config';
import { count } from './tests/support/size.ts';

/** Whole sizes (`test:full`): 100,000 instances, or 10,000 writes one after the other, take a database minutes. */
const testTimeout = count({ reduced: 30_000, whole: 900_000 });

const reporters = ['default', './tests/support/closing-line.ts'];

// unit: one package at a time, in one process. scenarios: real processes, so one file after the other.
export default defineConfig({
  test: {
    reporters,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/{src,scripts}/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tests/*.test.ts'],
          testTimeout,
        },
      },
      {
        test: {
          name: 'scenarios',
          include: ['tests/scenarios/**/*.test.ts', 'tests/regressions/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
