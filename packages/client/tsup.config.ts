import { defineConfig } from 'tsup';

// The schema's values and types are bundled in: who installs the client installs nothing else.
export default defineConfig({
  entry: ['src/index.ts'],
  format: ['esm', 'cjs'],
  target: 'node20',
  sourcemap: true,
  clean: true,
  noExternal: [/^@reg\/schema/],
  // By path: the bundler of declarations takes what it finds in node_modules for somebody else's.
  dts: { compilerOptions: { paths: { '@reg/schema/*': ['../schema/dist/*.d.ts'] } } },
});
