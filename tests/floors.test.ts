// Which floor may stand on which (docs/architecture.md). Lint says it while you type; this reads every
// import and every package.json, so that neither a disabled rule nor a quiet dependency gets by.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from './support/temporary-folder.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What a package may bring in at run time. A higher floor never appears in a lower one's list. */
const floors: Record<string, { readonly folder: string; readonly may: readonly string[] }> = {
  '@reg/schema': { folder: 'packages/schema', may: ['zod'] },
  '@reg/registry': { folder: 'packages/registry', may: ['@reg/schema', 'express', 'jsonwebtoken'] },
  '@reg/store-mongo': {
    folder: 'packages/store-mongo',
    may: ['@reg/schema', '@reg/registry', 'mongoose', 'zod'],
  },
  '@reg/client': { folder: 'packages/client', may: [] },
  '@reg/gateway': { folder: 'packages/gateway', may: ['@reg/schema', 'express-jwt', 'undici'] },
  '@reg/registrar': { folder: 'packages/registrar', may: ['@reg/schema', '@reg/client', 'yaml', 'zod'] },
  '@reg/cli': {
    folder: 'packages/cli',
    may: [
      '@reg/schema',
      '@reg/registry',
      '@reg/store-mongo',
      '@reg/client',
      '@reg/gateway',
      '@reg/registrar',
      'commander',
      'jsonwebtoken',
    ],
  },
  tickets: { folder: 'apps/tickets', may: ['@reg/client', 'express', 'mongoose'] },
};

/** Bundled into the client when it is built, so that its users install nothing. */
const bundled: Record<string, readonly string[]> = { '@reg/client': ['@reg/schema'] };

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');
const manifest = (folder: string): Manifest => JSON.parse(read(`${folder}/package.json`));

/** The packages that a source file names: `import`, `export … from`, `import()`, `require()`. */
function importedPackages(source: string): string[] {
  const specifiers = source.matchAll(
    /(?:^|[\s;])(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|(?:^|[\s;])import\s*['"]([^'"]+)['"]|\b(?:import|require)\(\s*['"]([^'"]+)['"]/g,
  );
  return [...specifiers]
    .map(([, from, bare, called]) => from ?? bare ?? called ?? '')
    .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
    .map((specifier) =>
      specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/'),
    );
}

test('every package of the workspace stands on a floor', () => {
  const folders = ['packages', 'apps'].flatMap((top) =>
    readdirSync(`${root}${top}`).map((name) => `${top}/${name}`),
  );
  expect(folders.map((folder) => manifest(folder).name).sort()).toEqual(Object.keys(floors).sort());
});

/** A package's own sources; its tests and test tools may stand on anything. */
function sources(folder: string): string[] {
  const all = readdirSync(`${root}${folder}/src`, { recursive: true, encoding: 'utf8' });
  return all.filter(
    (path) => path.endsWith('.ts') && !/\.(?:test|fixture)\.ts$/.test(path) && !path.startsWith('testing/'),
  );
}

test.each(Object.entries(floors))('%s imports and depends on lower floors only', (name, { folder, may }) => {
  expect(sources(folder)).not.toEqual([]);
  const allowed = [...may, ...(bundled[name] ?? [])];
  const trespasses = sources(folder).flatMap((path) =>
    importedPackages(read(`${folder}/src/${path}`))
      .filter((imported) => !allowed.includes(imported))
      .map((imported) => `${path} imports ${imported}`),
  );
  expect(trespasses).toEqual([]);
  const usesTestTools = (path: string) => /from '[^']*\.fixture\.ts'/.test(read(`${folder}/src/${path}`));
  expect(sources(folder).filter(usesTestTools)).toEqual([]);

  const { dependencies = {}, optionalDependencies = {} } = manifest(folder);
  expect(Object.keys({ ...dependencies, ...optionalDependencies }).sort()).toEqual([...may].sort());
});

test('reg loads what speaks to a database only where one was asked for', () => {
  const eager = sources('packages/cli').filter((path) =>
    /^import (?!type )[^;]*'@reg\/store-mongo'/m.test(read(`packages/cli/src/${path}`)),
  );
  expect(eager).toEqual([]);
});

test('the gateway never names the registry, not even to develop with', () => {
  const { dependencies = {}, peerDependencies = {} } = manifest('packages/gateway');
  expect({ ...dependencies, ...peerDependencies }).not.toHaveProperty('@reg/registry');
});

test.each([
  ['packages/gateway/src/x.ts', '@reg/registry', 'takes a Catalog'],
  ['packages/schema/src/x.ts', '@reg/registry', 'Floor 0'],
  ['packages/registry/src/x.ts', 'express', 'know no HTTP'],
  ['packages/registry/src/http/x.ts', 'mongoose', 'schema, express and jsonwebtoken alone'],
  ['packages/client/src/x.ts', '@reg/schema', 'installs nothing else'],
  ['packages/gateway/src/stages/x.ts', 'node:http', 'never a transport'],
  ['packages/registrar/src/x.ts', '@reg/registry', 'across the network'],
  ['apps/tickets/src/x.ts', '@reg/schema', 'only the client'],
])('lint says why %s may not import %s', async (path, imported, why) => {
  await using folder = await temporaryFolder();
  await cp(`${root}biome.json`, `${folder.path}/biome.json`);
  await mkdir(dirname(`${folder.path}/${path}`), { recursive: true });
  await writeFile(`${folder.path}/${path}`, `import * as x from '${imported}';\n\nexport { x };\n`);
  const { stdout, stderr, status } = spawnSync(
    `${root}node_modules/.bin/biome`,
    ['lint', '--vcs-enabled=false', '--colors=off', path],
    { cwd: folder.path, encoding: 'utf8' },
  );
  expect(stdout + stderr).toContain(why);
  expect(status).not.toBe(0);
});
