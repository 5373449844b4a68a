// For tests: the built program, as a user runs it, and a real registry in memory that it can ask.
import { createMemoryStore, createRegistry, type Registry } from '@reg/registry';
import { createRegistryServer } from '@reg/registry/http';
import { afterAll, beforeAll, expect } from 'vitest';
import {
  type Finished,
  runProcess,
  type StartedProcess,
  startProcess,
} from '../../../tests/support/process.ts';
import { listed, reg as program } from '../../../tests/support/stack.ts';
import { useTemporaryFolder } from '../../../tests/support/temporary-folder.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export function startReg(args: readonly string[], env: Environment = {}): Promise<StartedProcess> {
  return startProcess('node', [program, ...args], { env });
}

/** To its end, whatever its exit code is. */
export function runReg(args: readonly string[], env: Environment = {}): Promise<Finished> {
  return runProcess('node', [program, ...args], { env });
}

export interface OpenRegistry extends AsyncDisposable {
  readonly registry: Registry;
  readonly url: string;
  close(): Promise<void>;
}

/** A registry in memory with its server. @param port a fixed one; 0 is any free one */
export async function openRegistry(port = 0): Promise<OpenRegistry> {
  const registry = createRegistry({ store: createMemoryStore() });
  const server = await createRegistryServer({ registry, port });
  const close = async () => {
    await server.close();
    await registry.close();
  };
  return { registry, url: server.url, close, [Symbol.asyncDispose]: close };
}

/**
 * A registry in memory, there before the tests of the file that calls it and gone after them; `reg` that asks
 * it, and keeps what it keeps in a folder of that file. `registry`, `url` and `folder.path` are known once the
 * tests run.
 */
export function useRegistry() {
  const folder = useTemporaryFolder();
  let open: OpenRegistry;
  beforeAll(async () => {
    open = await openRegistry();
  });
  afterAll(() => open?.close());
  const environment = (env: Environment) => ({ REG_REGISTRY: open.url, REG_DATA: folder.path, ...env });
  const start = (args: readonly string[], env: Environment = {}) => startReg(args, environment(env));
  const reg = (args: readonly string[], env: Environment = {}) => runReg(args, environment(env));

  /** Exit 0, and what it printed as JSON. */
  async function regJson(args: readonly string[], env: Environment = {}) {
    const { code, stdout, stderr } = await reg([...args, '--json'], env);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return JSON.parse(stdout);
  }
  return {
    get registry() {
      return open.registry;
    },
    get url() {
      return open.url;
    },
    folder,
    start,
    reg,
    regJson,
    instancesOf: (name: string) => listed(open.url, name),
  };
}

export interface FreshService {
  readonly name: string;
  readonly path: string;
  readonly url: string;
  /** Of the instance at `url`, where `--id` says no other. */
  readonly id: string;
}

let count = 0;
/** A service of its own for each test: those of a file share one registry. */
export function freshService(): FreshService {
  count += 1;
  const port = 10_000 + count;
  return {
    name: `Tickets Query Service ${count}`,
    path: `/tickets-${count}`,
    url: `http://127.0.0.1:${port}/tickets`,
    id: `127.0.0.1-${port}`,
  };
}

export function registerArgs({ name, path, url }: FreshService, ...more: readonly string[]): string[] {
  return ['register', name, '--url', path, '--endpoint', url, ...more];
}
