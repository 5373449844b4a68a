// Writes src/last-word.worker.ts out as a string of JavaScript: a worker made of a string needs no file
// beside the bundle, so it survives whatever bundler its user has. Another file may be named as argument:
// a test compares the two.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { outputText } = ts.transpileModule(readFileSync(here('../src/last-word.worker.ts'), 'utf8'), {
  compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, removeComments: true },
});
const generated = [
  '// Written by scripts/embed-worker.mjs from last-word.worker.ts: change that one, then run the build.',
  `export const workerSource: string = ${JSON.stringify(outputText)};`,
  '',
].join('\n');
writeFileSync(process.argv[2] ?? here('../src/last-word.generated.ts'), generated);
