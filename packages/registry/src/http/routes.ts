// Which operation a request means, read off the contract. Paths are compared as they were sent: in one spelling
// alone, so that nobody in front of us reads another one out of it.
import { type OperationName, operations } from '@reg/schema';
import { decoded } from './query.ts';

export interface Route {
  /** By method. */
  readonly operations: ReadonlyMap<string, OperationName>;
  /** Parameters of the path, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
}

interface Template {
  readonly operations: Map<string, OperationName>;
  /** `parameter`: whatever stands there, unless it is nothing. */
  readonly segments: readonly { readonly text: string; readonly isParameter: boolean }[];
}

/**
 * @returns finds the route of a path without its query; undefined: there is nothing.
 * It throws `malformed_request` for a percent-encoding that cannot be decoded
 */
export function createRoutes(names: readonly OperationName[]): (path: string) => Route | undefined {
  const byPath = new Map<string, Template>();
  for (const name of names) {
    const { method, path } = operations[name];
    const template = byPath.get(path) ?? { operations: new Map(), segments: segmentsOf(path) };
    byPath.set(path, template);
    template.operations.set(method, name);
    if (method === 'GET') template.operations.set('HEAD', name);
  }
  const byLength: Template[][] = [];
  for (const template of byPath.values()) {
    const { length } = template.segments;
    byLength[length] = [...(byLength[length] ?? []), template];
  }

  return (path) => {
    const parts = path.split('/');
    const template = byLength[parts.length]?.find((one) => fits(one, parts));
    return template && { operations: template.operations, parameters: parametersOf(template, parts) };
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
