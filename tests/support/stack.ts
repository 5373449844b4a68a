// The real programs, as a user starts them: `reg up` in each placement, tickets, tokens.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ListedService, Position } from '@reg/schema';
import { type StartedProcess, startProcess } from './process.ts';
import { run } from './run.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const reg = `${root}packages/cli/dist/main.js`;
const ticketsService = `${root}apps/tickets/dist/service.js`;
if (!existsSync(reg) || !existsSync(ticketsService)) throw new Error('build first: npx pnpm@12.21.0 build');

/** The secret of every stack that the tests start. */
const secret = 'a secret of the tests, of 32 bytes and more';

type Environment = Readonly<Record<string, string | undefined>>;

/** What `reg up --json` prints in its first line. */
interface Running {
  readonly gateway?: string;
  readonly admin?: string;
  readonly registry?: string;
  readonly store?: string;
}

export interface Up<Started> extends AsyncDisposable {
  readonly process: StartedProcess;
  readonly url: Started;
}

export interface StartedUp extends AsyncDisposable {
  readonly process: StartedProcess;
  readonly running: Running;
}

/** `reg up --json` with these flags. Resolves once it says what runs. @throws when it ends before */
export async function startUp(
  args: readonly string[],
  data: string,
  env: Environment = {},
): Promise<StartedUp> {
  const process = await startProcess('node', [reg, 'up', '--json', '--data', data, ...args], { env });
  // Lines of the log are JSON too, and a database has some to say before. It may take ten seconds to answer.
  const [line] = await process
    .printed(/^\{"(?:gateway|admin|registry)":.*\}$/m, { withinMs: 30_000 })
    .catch(async (error) => {
      await process[Symbol.asyncDispose]();
      throw error;
    });
  return {
    process,
    running: JSON.parse(line),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

function up(args: readonly string[], data: string, env: Environment = {}): Promise<StartedUp> {
  return startUp(args, data, { REG_JWT_SECRET: secret, ...env });
}

/** Registry and gateway in one process. @param ports fixed ones, to come back where it was; 0 is any free one */
export async function startStack(
  data: string,
  env?: Environment,
  ports: StackPorts = { gateway: 0, registry: 0 },
): Promise<Stack> {
  const args = [`--gateway-port=${ports.gateway}`, `--registry-port=${ports.registry}`];
  const { process, running } = await up(args, data, env);
  const { gateway = '', registry = '' } = running;
  return { process, gateway, registry, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

interface StackPorts {
  readonly gateway: number;
  readonly registry: number;
}

export interface Stack extends AsyncDisposable {
  readonly process: StartedProcess;
  readonly gateway: string;
  readonly registry: string;
}

/** A registry alone. @param port a fixed one, to come back where it was; 0 is any free one */
export async function startRegistry(data: string, port = 0, env?: Environment): Promise<Up<string>> {
  const { process, running } = await up(['--registry-only', `--registry-port=${port}`], data, env);
  return {
    process,
    url: running.registry ?? '',
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

export interface GatewayAlone extends Up<string> {
  /** Where it tells of itself. */
  readonly admin: string;
}

/** A gateway alone, with the registry across the network. */
export async function startGateway(data: string, registry: string, env?: Environment): Promise<GatewayAlone> {
  const args = ['--gateway-only', '--gateway-port=0', '--admin-port=0', '--registry', registry];
  const { process, running } = await up(args, data, env);
  const { gateway = '', admin = '' } = running;
  return { process, url: gateway, admin, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

export interface Tickets extends AsyncDisposable {
  readonly process: StartedProcess;
  readonly port: number;
}

/** The sample service; it registers itself. Resolves once it listens, and it is listed soon after. */
export async function startTickets(registry: string, port = 0, env: Environment = {}): Promise<Tickets> {
  const process = await startProcess('node', [ticketsService], {
    env: { PORT: String(port), SELF_REGISTRY: registry, ...env },
  });
  const [, listening] = await process.printed(/https?:\/\/127\.0\.0\.1:(\d+)/);
  return { process, port: Number(listening), [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

/** A command of `reg`, to its end. @throws with what it printed when it ends with another code than 0 */
export async function runReg(registry: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run([process.execPath, reg, ...args, '--registry', registry]);
  return stdout.trim();
}

/** A token as `reg token` prints it. */
export async function token({ roles }: { roles: readonly string[] }): Promise<string> {
  const { stdout } = await run([process.execPath, reg, 'token', '--sub', 'ada', '--roles', roles.join(',')], {
    env: { ...process.env, REG_JWT_SECRET: secret },
  });
  return stdout.trim();
}

export async function listed(registry: string, service = 'tickets'): Promise<ListedService['instances']> {
  const response = await fetch(`${registry}/v1/services/${encodeURIComponent(service)}`);
  if (response.status === 404) return [];
  if (!response.ok) throw new Error(`the registry answered ${response.status}`);
  return ((await response.json()) as ListedService).instances;
}

export async function position(registry: string): Promise<Position> {
  const response = await fetch(`${registry}/v1/services`);
  return (await response.json()) as Position;
}
