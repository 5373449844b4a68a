// The shortcut of hot operations past Express: the very path of the contract and the very method, as they were
// sent. What is not exactly that is for Express to judge: another spelling, HEAD, what is not allowed, what is not.
import { type OperationName, operations } from '@reg/schema';
import { decoded } from './query.ts';

export interface HotRoute {
  readonly name: OperationName;
  /** Parameters of the path, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
}

interface Template {
  readonly name: OperationName;
  readonly method: string;
  /** `parameter`: whatever stands there, unless it is nothing. */
  readonly segments: readonly { readonly text: string; readonly isParameter: boolean }[];
}

/**
 * @returns finds the operation of a method and a path without its query; undefined: not one of these.
 * It throws `malformed_request` for a percent-encoding that cannot be decoded
 */
export function createHotRoutes(
  names: readonly OperationName[],
): (method: string | undefined, path: string) => HotRoute | undefined {
  const byLength: Template[][] = [];
  for (const name of names) {
    const { method, path } = operations[name];
    const template = { name, method, segments: segmentsOf(path) };
    const { length } = template.segments;
    byLength[length] = [...(byLength[length] ?? []), template];
  }
  return (method, path) => {
    const parts = path.split('/');
    const template = byLength[parts.length]?.find((one) => one.method === method && fits(one, parts));
    return template && { name: template.name, parameters: parametersOf(template, parts) };
  };
}

function segmentsOf(path: string): Template['segments'] {
  return path.split('/').map((segment) => {
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    return { text: name ?? segment, isParameter: name !== undefined };
  });
}

function fits({ segments }: Template, parts: readonly string[]): boolean {
  return segments.every(({ text, isParameter }, at) => (isParameter ? parts[at] !== '' : parts[at] === text));
}

function parametersOf({ segments }: Template, parts: readonly string[]): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const [at, { text, isParameter }] of segments.entries()) {
    if (isParameter) parameters[text] = decoded(parts[at] ?? '');
  }
  return parameters;
}
