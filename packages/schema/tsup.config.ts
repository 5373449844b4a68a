import { defineConfig } from 'tsup';

export default defineConfig({
  entry: [
    'src/index.ts',
    'src/calls.ts',
    'src/operations.ts',
    'src/problem.ts',
    'src/position.ts',
    'src/address.ts',
    'src/networks.ts',
    'src/defaults.ts',
    'src/duration.ts',
    'src/shapes.ts',
  ],
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  clean: true,
  dts: true,
});
