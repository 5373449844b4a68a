// Installing the client installs nothing else, and it weighs little: measured on what is published.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { builtinModules, createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { freePort } from '../../../tests/support/free-port.ts';
import { startProcess } from '../../../tests/support/process.ts';
import { temporaryFolder } from '../../../tests/support/temporary-folder.ts';
import { startRegistry } from '../testing/registry.ts';

const run = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
if (!existsSync(here('../dist/index.js'))) throw new Error('build first: pnpm build');
const read = (path: string) => readFileSync(here(path), 'utf8');

/** The bundler that tsup brings along. */
interface Bundler {
  build(options: object): Promise<{ outputFiles: { contents: Uint8Array; text: string }[] }>;
}
const fromTsup = createRequire(createRequire(import.meta.url).resolve('tsup'));
const { build } = fromTsup('esbuild') as Bundler;

test('it depends on nothing', () => {
  const manifest = JSON.parse(read('../package.json'));
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies'])
    expect(manifest).not.toHaveProperty(kind);
});

test('its files import nothing but what node brings', () => {
  const imports = ['index.js', 'index.cjs', 'index.d.ts', 'index.d.cts'].flatMap((file) =>
    [...read(`../dist/${file}`).matchAll(/(?:\bfrom\s*|\bimport\s*\(?|\brequire\()\s*["']([^"']+)["']/g)].map(
      ([, name]) => name ?? '',
    ),
  );
  const strangers = imports.filter((name) => !name.startsWith('node:') && !builtinModules.includes(name));
  expect(strangers).toEqual([]);
  expect(read('../dist/index.d.ts')).not.toMatch(/\bfrom '/);
});

test('bundled and minified it weighs less than 12.5 kB, gzipped, and holds no zod', async () => {
  const { outputFiles } = await build({
    entryPoints: [here('../dist/index.js')],
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    write: false,
  });
  const [bundle] = outputFiles;
  expect(gzipSync(bundle?.contents ?? '').length).toBeLessThan(12_500);
  expect(gzipSync(bundle?.contents ?? '').length).toBeGreaterThan(1_000);
  expect(bundle?.text).not.toContain('zod');
});

test('the embedded worker is the one in the source: run the build after changing it', async () => {
  await using folder = await temporaryFolder();
  await run(process.execPath, [here('../scripts/embed-worker.mjs'), `${folder.path}/fresh`]);
  expect(read('./keeper.generated.ts')).toBe(readFileSync(`${folder.path}/fresh`, 'utf8'));
});

/** A folder where only the package as it is published is installed. */
async function consumer() {
  const folder = await temporaryFolder();
  const installed = `${folder.path}/node_modules/@reg/client`;
  await mkdir(installed, { recursive: true });
  await cp(here('../dist'), `${installed}/dist`, { recursive: true });
  await cp(here('../package.json'), `${installed}/package.json`);
  return folder;
}

const names = [
  'createCatalog',
  'discover',
  'isRegError',
  'register',
  'registerIfAsked',
  'unregister',
  'watch',
];

test.each([
  ['require', 'index.cjs', `console.log(Object.keys(require('@reg/client')).sort().join())`],
  ['import', 'index.mjs', `console.log(Object.keys(await import('@reg/client')).sort().join())`],
])('%s gives the whole API', async (_, file, source) => {
  await using folder = await consumer();
  await writeFile(`${folder.path}/${file}`, source);
  const { stdout, stderr } = await run(process.execPath, [file], { cwd: folder.path });
  expect(stdout.trim()).toBe(names.join());
  expect(stderr).toBe('');
});

test("the README's first lines work: listed while they run, and gone with them", async () => {
  const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(read('../README.md')) ?? [];
  await using folder = await consumer();
  await using registry = await startRegistry();
  await writeFile(`${folder.path}/readme.mjs`, code);
  const env = { REG_REGISTRY: registry.url, PORT: String(await freePort()) };
  await using service = await startProcess('node', [`${folder.path}/readme.mjs`], { env });
  const [listed] = await eventually(
    () => registry.listed('tickets'),
    (all) => all.length === 1,
  );
  const answer = await fetch(listed?.endpoints[0]?.url ?? '');
  expect(await answer.json()).toEqual(['a ticket']);
  service.kill('SIGTERM');
  expect(await service.ended).toEqual({ code: null, signal: 'SIGTERM' });
  expect(service.stderr()).toBe('');
  expect(await registry.listed('tickets')).toEqual([]);
});

const typed = `import { createCatalog, discover, isRegError, register, type Snapshot, watch } from '@reg/client';
const registration = await register({
  name: 'tickets', url: '/tickets', endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001/tickets' }],
  authorizedRoles: { anyOf: ['a'] }, lease: 'none',
});
await registration.update({ version: '2', redefine: true });
await registration.reportLoad({ level: 'high', forMs: 60_000 });
const url: string = (await discover('tickets')).pick().url;
for await (const item of watch({ after: { epoch: 'e', revision: 1 } })) if ('services' in item) take(item);
function take(snapshot: Snapshot): number { return snapshot.services.length; }
const catalog = createCatalog({ gateway: url });
await catalog.snapshot(new AbortController().signal).catch((error: unknown) => isRegError(error) && error.code === 'compacted');
// @ts-expect-error: roles must be said
await register({ name: 'tickets', url: '/tickets', endpoints: [] });
`;

test.each([
  ['module', 'nodenext', []],
  ['module', 'bundler', []],
  ['commonjs', 'nodenext', []],
  ['module', 'nodenext', ['node']],
])(
  'a strict TypeScript consumer (%s, %s, types %j) compiles without skipLibCheck',
  async (type, moduleResolution, types) => {
    await using folder = await consumer();
    const module = moduleResolution === 'bundler' ? 'esnext' : 'nodenext';
    const typeRoots = [here('../node_modules/@types')];
    const lib = types.length > 0 ? ['ES2023'] : ['ES2023', 'DOM'];
    const strictest = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
    const compilerOptions = {
      ...strictest,
      skipLibCheck: false,
      noEmit: true,
      target: 'es2023',
      module,
      moduleResolution,
      types,
      typeRoots,
      lib,
    };
    await writeFile(`${folder.path}/tsconfig.json`, JSON.stringify({ compilerOptions, files: ['index.ts'] }));
    await writeFile(`${folder.path}/package.json`, JSON.stringify({ type }));
    const source =
      type === 'module'
        ? typed
        : typed.replace('const registration', 'async function main() {\nconst registration') +
          '}\nvoid main;\n';
    await writeFile(`${folder.path}/index.ts`, source);
    const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
    const { stdout } = await run(process.execPath, [tsc, '-p', '.'], { cwd: folder.path }).catch(
      (error) => error,
    );
    expect(stdout).toBe('');
  },
);
