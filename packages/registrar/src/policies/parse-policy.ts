// One policy file, whole or not at all: what is wrong is said with its line, its column and its path.
import { isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import type * as z from 'zod';
import { type Policy, policyOf } from './policy.ts';
import { policyFile } from './policy-file.ts';

export interface PolicyFault {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** `scaling.max`; empty: the text itself. */
  readonly path: string;
  readonly message: string;
}

export type ParsedPolicy = { readonly policy: Policy } | { readonly faults: readonly PolicyFault[] };

/** @param name of the service, where the file names none: the file's own */
export function parsePolicy(text: string, name: string): ParsedPolicy {
  const read = parseText(text, policyFile);
  return 'faults' in read ? read : { policy: policyOf(read.value, name) };
}

/** YAML or JSON, which is YAML too (YAML 1.2 §1.3). */
export function parseText<Value>(
  text: string,
  schema: z.ZodType<Value>,
): { readonly value: Value } | { readonly faults: readonly PolicyFault[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (document.errors.length > 0)
    return { faults: document.errors.map(({ pos, message }) => ({ ...at(pos[0]), path: '', message })) };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return { faults: [{ line: 1, column: 1, path: '', message: (error as Error).message }] };
  }
  if (value === null) return { faults: [{ line: 1, column: 1, path: '', message: 'is empty' }] };
  const parsed = schema.safeParse(value);
  if (parsed.success) return { value: parsed.data };
  const faults = parsed.error.issues.flatMap(issuesWithin).map(({ path, message }) => {
    const offset = offsetOf(document.contents, path);
    return { ...at(offset), path: path.join('.'), message };
  });
  return { faults };
}

interface Located {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** An unknown field is at the field, and not at what holds it; of a choice what was meant is told about. */
function issuesWithin(issue: z.core.$ZodIssue): Located[] {
  const at = ({ path, message }: Located): Located => ({ path: [...issue.path, ...path], message });
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => at({ path: [key], message: 'is no field of a policy' }));
  if (issue.code === 'invalid_union') {
    // The one of which the fields are there: all that is wrong with it is within them.
    const meant = issue.errors.filter((issues) =>
      issues.every(({ path, code }) => path.length > 0 && code !== 'unrecognized_keys'),
    );
    const [only] = meant;
    if (only && meant.length === 1) return only.flatMap(issuesWithin).map(at);
  }
  return [{ path: issue.path, message: issue.message }];
}

/** Where it stands; what is missing stands where it would have to be. */
function offsetOf(contents: Node | null, path: readonly PropertyKey[]): number {
  let offset = contents?.range?.[0] ?? 0;
  let node: unknown = contents;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      if (!isPair(pair)) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (typeof step === 'number' && node && typeof node === 'object' && 'items' in node) {
      node = (node.items as unknown[])[step];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}
