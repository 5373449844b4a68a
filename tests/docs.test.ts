// The documents say what the code does: codes, operations and words are read from both and compared.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { operations, problems } from '@reg/schema';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

test('docs/errors.md and the table of codes list the same codes, with the same status', () => {
  const sections = [...read('docs/errors.md').matchAll(/^### (\w+)\n([\s\S]*?)(?=^### |^## |$(?![\s\S]))/gm)];
  const documented = Object.fromEntries(
    sections.map(([, code, text = '']) => [code, Number(/\b([45]\d\d)\b/.exec(text)?.[1])]),
  );
  const declared = Object.fromEntries(Object.entries(problems).map(([code, { status }]) => [code, status]));
  expect(documented).toEqual(declared);
});

test('docs/http-api.md describes every operation by method and path', () => {
  const text = read('docs/http-api.md');
  const missing = Object.values(operations).filter(({ method, path }) => !text.includes(`${method} ${path}`));
  expect(missing).toEqual([]);
});

test('every relative link of the documents leads to a file', () => {
  const documents = [
    'README.md',
    'CONTRIBUTING.md',
    ...markdownIn('docs'),
    ...markdownIn('packages'),
    ...markdownIn('apps'),
    ...markdownIn('deploy'),
  ];
  const broken = documents.flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)]
      .map(([, target = '']) => new URL(target, `file://${root}${path}`))
      .filter((target) => !exists(target))
      .map((target) => `${path} → ${target.pathname}`),
  );
  expect(broken).toEqual([]);
});

test('every file that a document names by its path is there', () => {
  const named = markdownIn('docs').flatMap((path) =>
    [...read(path).matchAll(/`((?:packages|apps|tests|deploy|scripts)\/[\w./-]+\.\w+)`/g)].map(
      ([, file = '']) => file,
    ),
  );
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((file) => !exists(new URL(file, `file://${root}`)))).toEqual([]);
});

function markdownIn(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md') && !path.includes('node_modules'))
    .map((path) => `${folder}/${path}`);
}

function exists(target: URL): boolean {
  try {
    readFileSync(target);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EISDIR';
  }
}
