import { defineConfig } from 'tsup';

export default defineConfig({
  entry: { index: 'src/index.ts', http: 'src/http/index.ts', testing: 'src/testing/index.ts' },
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  clean: true,
  dts: true,
});
