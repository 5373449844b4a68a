// Runs a program: exit code 0 passes, 1 warns, any other fails.
import { runCommand } from '../run-command.ts';
import { failed, passed, type Verdict } from './verdict.ts';

/** @param command with the place of the instance filled in. Never rejects */
export async function checkCommand(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const { code, output, trouble } = await runCommand(command, { timeoutMs, env, signal });
  const said = [`${command[0]}: ${trouble ?? `exit code ${code}`}`, output.slice(-200)]
    .filter(Boolean)
    .join(': ');
  if (trouble !== undefined) return failed(said);
  if (code === 1) return { outcome: 'warned', because: said };
  return code === 0 ? passed(said) : failed(said);
}
