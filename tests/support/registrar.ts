// `reg registrar` as a user starts it, over a folder of policies that the test writes.
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type StartedProcess, startProcess } from './process.ts';
import { reg, root } from './stack.ts';

export interface StartedRegistrar extends AsyncDisposable {
  readonly process: StartedProcess;
  /** The lines of its log, as text. */
  log(): string[];
}

/** @param env of the registrar, and so of what it starts */
export async function startRegistrar(
  registry: string,
  policies: string,
  {
    name = 'here',
    args = [],
    env = {},
  }: { name?: string; args?: readonly string[]; env?: Record<string, string> } = {},
): Promise<StartedRegistrar> {
  const process = await startProcess(
    'node',
    [reg, 'registrar', '--json', '--policies', policies, '--name', name, '--registry', registry, ...args],
    { env },
  );
  await process.printed(/^\{"registrar".*\}$/m);
  const log = () =>
    process
      .stderr()
      .split('\n')
      .flatMap((line) =>
        line.startsWith('{"part":"registrar"') ? [JSON.parse(line).message as string] : [],
      );
  return { process, log, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

export interface PolicyFolder {
  readonly path: string;
  write(file: string, text: string): Promise<void>;
  remove(file: string): Promise<void>;
}

export async function policyFolder(parent: string): Promise<PolicyFolder> {
  const path = join(parent, 'policies');
  await mkdir(path);
  return {
    path,
    write: (file, text) => writeFile(join(path, file), text),
    remove: (file) => rm(join(path, file)),
  };
}

/** tests/support/plain-app.mjs. @param env its settings */
export async function startPlainApp(
  port: number,
  env: Record<string, string> = {},
): Promise<StartedProcess & { setHealth(status: number): Promise<void> }> {
  const started = await startProcess('node', [plainApp], { env: { PORT: String(port), ...env } });
  return Object.assign(started, {
    async setHealth(status: number) {
      await fetch(`http://127.0.0.1:${port}/health`, { method: 'PUT', body: String(status) });
    },
  });
}

export const plainApp = `${root}tests/support/plain-app.mjs`;

/** Takes every POST with 202. @param onBody called with each, as JSON */
export async function startWebhook(onBody: (body: Record<string, unknown>) => void = () => undefined) {
  const bodies: Record<string, unknown>[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const body = JSON.parse(text);
    bodies.push(body);
    onBody(body);
    response.writeHead(202).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    bodies,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/**
 * What a registrar started outlives it, and must not outlive the test: at the end whoever listens on these ports is
 * ended. It has to be an app of plain-app.mjs.
 */
export function endsWhatRuns([first, last]: readonly [number, number]): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      for (let port = first; port <= last; port++) {
        const pid = await pidOn(port).catch(() => undefined);
        if (pid !== undefined) process.kill(pid, 'SIGKILL');
      }
    },
  };
}

/** Of a plain app. */
export async function pidOn(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/pid`, { headers: { connection: 'close' } });
  const pid = Number(await response.text());
  if (!Number.isSafeInteger(pid)) throw new Error(`what listens on port ${port} is no plain app`);
  return pid;
}
