// `reg explain`: what would become of a request, in a few lines that a tired person can read.
import type { Explanation } from '@reg/schema';
import { InvalidArgumentError } from 'commander';
import { callRegistry } from '../api.ts';
import { exitCodes } from '../exit-code.ts';
import { printJson, printLine } from '../print.ts';
import { rolesText } from '../roles-text.ts';
import { table } from '../table.ts';

export interface ExplainOptions {
  readonly registry: string;
  readonly registryToken?: string;
  /** Of a gateway alone. */
  readonly admin?: string;
  readonly token?: string;
  readonly json?: boolean;
}

/** The exit code is the answer for scripts: 0, an instance would be asked; 1, it ends before. */
export async function explain(
  method: string,
  target: string | undefined,
  options: ExplainOptions,
): Promise<void> {
  const { registry, registryToken, admin, token, json } = options;
  const explanation = await callRegistry('explain', {
    ...(admin === undefined ? { registry, registryToken } : { registry: admin }),
    query: questionOf(method, target),
    headers: token === undefined ? undefined : { 'x-reg-caller-token': token },
  });
  if (json) printJson(explanation);
  else for (const line of linesOf(explanation)) printLine(line);
  if (!explanation.outcome.ok) process.exitCode = exitCodes.failed;
}

function fallbackLines({ fallback = [] }: Explanation): string[] {
  return table(fallback.map(({ kind, answers, text }) => [kind, answers ? 'yes' : 'no', text]));
}

/** `reg explain /tickets` is a GET; `get` is one too, although on the wire it would be none. */
function questionOf(method: string, target: string | undefined): { method: string; target: string } {
  if (target !== undefined) return { method: method.toUpperCase(), target };
  if (method.startsWith('/')) return { method: 'GET', target: method };
  throw new InvalidArgumentError('a target is needed, like /tickets/1');
}

function linesOf(explanation: Explanation): string[] {
  const { method, path, outcome, view, route, nearMisses } = explanation;
  const { status, code, detail } = outcome;
  const answer = [status, code && `${code}:`, detail].filter((word) => word !== undefined).join(' ');
  const misses = nearMisses.map(({ url, service, text }) => [url, service, text]);
  return [
    `${method} ${path}`,
    ...labelled('answer', [answer]),
    ...labelled('route', route ? [`${route.url} -> ${route.service}`] : []),
    ...labelled('caller', callerLines(explanation)),
    ...labelled('instances', instanceLines(explanation)),
    ...labelled('next', explanation.order.length > 0 ? [explanation.order.join(', then ')] : []),
    ...labelled('fallback', fallbackLines(explanation)),
    ...labelled('again', route ? [againText(explanation.retry)] : []),
    ...labelled('near', table(misses)),
    ...labelled('view', view.stale ? ['stale: no registry confirms it at the moment'] : []),
  ];
}

/** The label stands before the first line alone. */
function labelled(label: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => `  ${(index === 0 ? label : '').padEnd(11)}${line}`);
}

function callerLines({ route, caller }: Explanation): string[] {
  if (!route || !caller) return [];
  const needs = `needs ${rolesText(route)}`;
  if (caller.token === 'not_asked') return ['needs no token: it is public'];
  if (caller.token === 'refused') return [needs, `no caller: ${caller.detail}`];
  const held = caller.roles?.join(', ') || 'no roles';
  return [needs, `${caller.subject || 'a caller without a name'} holds ${held}`];
}

function instanceLines({ instances, route }: Explanation): string[] {
  if (!route) return [];
  if (instances.length === 0) return ['none'];
  return table(
    instances.map(({ instanceId, in: gets, reasons, url, parts, partial }) => {
      const where = parts ? `merged of ${parts.length} endpoints, partial: ${partial}` : (url ?? '');
      return [instanceId, gets ? 'in' : 'out', reasons.map(({ text }) => text).join('; '), where];
    }),
  );
}

function againText({ unconnected, unanswered, unansweredWithBody }: Explanation['retry']): string {
  const cases = [
    ...(unconnected ? ['not connected'] : []),
    ...(unanswered
      ? [`broken off without an answer${unansweredWithBody ? '' : ' (if it had no body)'}`]
      : []),
  ];
  return cases.length === 0 ? 'never' : `where ${cases.join(', or ')}`;
}
