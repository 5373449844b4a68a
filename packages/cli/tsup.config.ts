import { defineConfig } from 'tsup';

// A program, not a library: no types. Each command is a chunk of its own, so that `reg register` in a
// unit file does not load the gateway.
export default defineConfig({
  entry: ['src/main.ts'],
  format: 'esm',
  target: 'node20',
  splitting: true,
  sourcemap: true,
  clean: true,
});
