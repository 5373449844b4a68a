// Scripts of one statement in a process of their own, with the built package.
import { type StartedProcess, startProcess } from '../../../tests/support/process.ts';

/** What is registered, as JavaScript. */
export const service = `{ name: 'ends', url: '/ends', endpoints: [{ type: 'http', url: 'http://127.0.0.1:9' }], authorizedRoles: [] }`;

/** The statement finds the built client as `client`. */
export function runScript(
  statement: string,
  registry: { readonly url: string },
  nodeOptions: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<StartedProcess> {
  const client = new URL('../dist/index.js', import.meta.url).href;
  const source = `import * as client from ${JSON.stringify(client)}; ${statement}`;
  const nodeArguments = [...nodeOptions, '--input-type=module', '--eval', source];
  return startProcess('node', nodeArguments, { env: { ...env, REG_REGISTRY: registry.url } });
}
