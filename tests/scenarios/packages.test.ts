// What a user gets from npm: each package packed as it is published, checked by publint and attw, and the
// client's tarball alone installed in an empty folder, where the README's first lines must run.
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { startProcess } from '../support/process.ts';
import { run } from '../support/run.ts';
import { listed, startRegistry } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const names = readdirSync(`${root}packages`);
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')).devEngines.packageManager;
/** Plain `npm pack` would keep `workspace:` versions. */
const pnpm = ['npx', '-y', `pnpm@${version}`];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const tarballs: Record<string, string> = {};

beforeAll(async () => {
  folder = await temporaryFolder();
  for (const name of names) {
    const { stdout } = await run([...pnpm, 'pack', '--json', '--pack-destination', folder.path], {
      cwd: `${root}packages/${name}`,
    });
    tarballs[name] = JSON.parse(stdout).filename;
  }
}, 120_000);
afterAll(() => folder?.[Symbol.asyncDispose]());

test.each(names)('%s: the manifest says what npm and users need', (name) => {
  const manifest = JSON.parse(readFileSync(`${root}packages/${name}/package.json`, 'utf8'));
  expect(manifest).toMatchObject({
    license: 'MIT',
    type: 'module',
    engines: { node: '>=20.19' },
    publishConfig: { access: 'public' },
    repository: { directory: `packages/${name}` },
  });
  expect(manifest.files).toContain('dist');
  expect(manifest.private).toBeUndefined();
  for (const conditions of Object.values<Record<string, unknown> | string>(manifest.exports)) {
    if (typeof conditions === 'string') continue;
    const maps = 'import' in conditions ? Object.values(conditions) : [conditions];
    for (const map of maps) expect(Object.keys(map as object)[0]).toBe('types');
  }
});

test.each(names)('%s: its tarball holds what it needs, no source, no workspace: version', async (name) => {
  const { stdout } = await run(['tar', '-tzf', tarballs[name] ?? '']);
  const files = stdout.trim().split('\n');
  expect(files).toContain('package/README.md');
  expect(files.some((file) => file.startsWith('package/dist/') && file.endsWith('.js'))).toBe(true);
  expect(files.filter((file) => file.startsWith('package/src/'))).toEqual([]);
  const { stdout: manifest } = await run(['tar', '-xzOf', tarballs[name] ?? '', 'package/package.json']);
  expect(manifest).not.toMatch(/workspace:|catalog:/);
});

test.each(names)(
  '%s: publint and attw find nothing',
  async (name) => {
    const tarball = tarballs[name] ?? '';
    await run([`${root}node_modules/.bin/publint`, 'run', '--strict', tarball]);
    const profile = name === 'client' ? 'node16' : 'esm-only';
    await run([`${root}node_modules/.bin/attw`, tarball, '--profile', profile, '--no-color']);
  },
  60_000,
);

/** An empty folder outside of the repo, with nothing but these tarballs (and what they bring). */
async function installInto(consumer: string, packages: readonly string[], mode: string): Promise<void> {
  await mkdir(consumer);
  await writeFile(`${consumer}/package.json`, '{ "name": "consumer", "private": true }');
  const install = ['npm', 'install', '--no-audit', '--no-fund', mode];
  await run([...install, ...packages.map((name) => tarballs[name] ?? '')], { cwd: consumer });
}

/** The first block of code in a README: the lines that must work. */
function firstCode(readme: string): string {
  const [, code] = /```(?:ts|js)\n([\s\S]*?)```/.exec(readme) ?? [];
  if (code === undefined) throw new Error('the README does not begin with code');
  return code;
}

test("the client's tarball alone: its README's first lines run as ESM, by require and in strict TypeScript", async () => {
  const consumer = `${folder.path}/consumer`;
  await installInto(consumer, ['client'], '--offline');
  expect(readdirSync(`${consumer}/node_modules`).filter((name) => !name.startsWith('.'))).toEqual(['@reg']);
  expect(readdirSync(`${consumer}/node_modules/@reg`)).toEqual(['client']);

  const code = firstCode(await readFile(`${root}packages/client/README.md`, 'utf8'));
  const typed = {
    compilerOptions: {
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      module: 'nodenext',
      target: 'es2022',
      typeRoots: [`${root}node_modules/@types`],
      types: ['node'],
    },
    include: ['*.mts'],
  };
  await writeFile(`${consumer}/tsconfig.json`, JSON.stringify(typed));
  await writeFile(`${consumer}/readme.mts`, code);
  await run([process.execPath, `${root}node_modules/typescript/bin/tsc`, '-p', consumer]);

  const required = code.replace(/import \{([^}]*)\} from '([^']+)';/g, "const {$1} = require('$2');");
  await writeFile(`${consumer}/readme.mjs`, code);
  await writeFile(`${consumer}/readme.cjs`, `(async () => {\n${required}\n})();\n`);
  for (const file of ['readme.mjs', 'readme.cjs']) await registersAndLeaves(`${consumer}/${file}`);
}, 120_000);

test('all tarballs together: reg runs, and the first lines of the other READMEs do', async () => {
  const consumer = `${folder.path}/everything`;
  await installInto(consumer, names, '--prefer-offline');
  await using stack = await startProcess(
    `${consumer}/node_modules/.bin/reg`,
    ['up', '--json', '--gateway-port=0', '--registry-port=0', '--data', folder.path],
    { env: { REG_JWT_SECRET: 'a secret of the tests, of 32 bytes and more' } },
  );
  const { registry } = JSON.parse((await stack.printed(/^\{.*\}$/m))[0]);

  for (const name of ['schema', 'registry', 'gateway']) {
    const code = firstCode(await readFile(`${root}packages/${name}/README.md`, 'utf8'))
      .replace('http://127.0.0.1:3100', registry)
      .replace('port: 3000', 'port: 0');
    await writeFile(`${consumer}/${name}.mjs`, code);
  }
  const runs = async (name: string) =>
    (await run([process.execPath, `${name}.mjs`], { cwd: consumer })).stdout;
  expect(await runs('schema')).toBe('Tickets Query Service\n');
  expect(await runs('registry')).toBe('1\n');
  await using gateway = await startProcess('node', ['gateway.mjs'], {
    cwd: consumer,
    env: { REG_JWT_SECRET: 'a secret of the tests, of 32 bytes and more' },
  });
  const [, url] = await gateway.printed(/serving on (http:\S+)/);
  const answer = await fetch(`${url}/nowhere`);
  expect(await answer.json()).toMatchObject({ code: 'route_not_found' });
}, 120_000);

/** Runs the file against a real registry: tickets is listed while it runs, and gone after SIGTERM. */
async function registersAndLeaves(file: string): Promise<void> {
  await using registry = await startRegistry(folder.path);
  await using service = await startProcess('node', [file], {
    env: { REG_REGISTRY: registry.url, PORT: String(await freePort()) },
  });
  await eventually(
    () => listed(registry.url),
    (all) => all.length === 1,
  );
  service.kill('SIGTERM');
  expect(await service.ended).toEqual({ code: null, signal: 'SIGTERM' });
  expect(await listed(registry.url)).toEqual([]);
}
