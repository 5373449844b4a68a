import { defineConfig } from 'vitest/config';

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
          testTimeout: 30_000,
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
