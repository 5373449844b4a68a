import type { FieldFault } from '@reg/schema';

/** What we read of a zod issue. */
export interface Issue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

/** One fault per field, as `endpoints.0.url`. @param root what a fault of the whole is called */
export function faultsOf(issues: readonly Issue[], root: string): FieldFault[] {
  return issues.flatMap((issue) => {
    const path = issue.path.map(String);
    const unknown = issue.code === 'unrecognized_keys' ? (issue.keys ?? []) : [];
    if (unknown.length === 0) return { field: fieldOf(path) || root, message: issue.message };
    return unknown.map((key) => ({ field: fieldOf([...path, key]), message: 'is not known' }));
  });
}

/** A name may be as long as the body; the reply is not. */
function fieldOf(path: readonly string[]): string {
  return path.join('.').slice(0, 200);
}
