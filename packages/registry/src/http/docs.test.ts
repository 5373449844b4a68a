// docs/http-api.md says that its commands work as they stand, from top to bottom: here they are run.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { commonCodes, operations } from '@reg/schema';
import { expect, test } from 'vitest';
import { skipWithout } from '../../../../tests/support/part.ts';
import { startApi } from './test-api.ts';

const document = readFileSync(new URL('../../../../docs/http-api.md', import.meta.url), 'utf8');
const hasCurl = spawnSync('curl', ['--version']).status === 0;

test.skipIf(skipWithout('curl', hasCurl))(
  'every command of docs/http-api.md works, in their order',
  async () => {
    await using api = await startApi();
    const commands = [...document.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block);
    const [endless, ...others] = [
      commands.filter(isEndless),
      commands.filter((one) => !isEndless(one)),
    ].flat();
    const script = `set -eu\ncurl() { command curl --fail-with-body -sS "$@" && echo; }\n${others.join('\n')}`;
    const { code, output } = await run(script.replaceAll('http://127.0.0.1:3100', api.url));
    expect(code, output).toBe(0);
    expect(output).toContain('304 Not Modified');
    expect(api.registry.getService('tickets-next').url).toBe('/tickets');

    const follow = await run((endless ?? '').replaceAll('http://127.0.0.1:3100', api.url), ': following');
    expect(follow.output).toContain('id: ');
  },
);

/** One that follows goes on until somebody ends it. */
function isEndless(command: string): boolean {
  return command.includes('curl -N');
}

/** @param until ends the script when it has printed this */
async function run(script: string, until?: string): Promise<{ code: number | null; output: string }> {
  const child = spawn('bash', ['-c', until === undefined ? script : `exec ${script}`]);
  let output = '';
  const read = (chunk: string) => {
    output += chunk;
    if (until !== undefined && output.includes(until) && output.includes('id: ')) child.kill();
  };
  child.stdout.setEncoding('utf8').on('data', read);
  child.stderr.setEncoding('utf8').on('data', read);
  const [code] = await once(child, 'close');
  return { code, output };
}

test('docs/http-api.md names the codes of each operation, and those that all may answer', () => {
  const sections = document.split(/^## /m).slice(1);
  for (const { method, path, codes } of Object.values(operations)) {
    const section = sections.find((one) => one.includes(`\`${method} ${path}\`\n`)) ?? '';
    const [, named = ''] = /^Codes: ([^.]*)/m.exec(section) ?? [];
    const found = [...named.replace(/\([^)]*\)/g, '').matchAll(/`(\w+)`/g)].map(([, code]) => code);
    expect(found, `${method} ${path}`).toEqual(codes);
  }
  for (const code of commonCodes) expect(document).toContain(`\`${code}\``);
});
