import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/app.ts', 'src/service.ts', 'src/app-only.ts'],
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  clean: true,
  dts: { entry: 'src/app.ts' },
});
