// Writes src/keeper.worker.ts, with all that it imports, out as a string of JavaScript: a worker made of a
// string needs no file beside the bundle, so it survives whatever bundler its user has. Another file may be
// named as argument: a test compares the two.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The bundler that tsup brings along. */
const { build } = createRequire(createRequire(import.meta.url).resolve('tsup'))('esbuild');

const { outputFiles } = await build({
  entryPoints: [here('../src/keeper.worker.ts')],
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  write: false,
});
const generated = [
  '// Written by scripts/embed-worker.mjs from keeper.worker.ts: change that one, then run the build.',
  `export const workerSource: string = ${JSON.stringify(outputFiles[0].text)};`,
  '',
].join('\n');
writeFileSync(process.argv[2] ?? here('../src/keeper.generated.ts'), generated);
