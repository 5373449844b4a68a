import { type FieldFault, regError } from '@reg/schema';

/** Of a request target. */
export function pathOf(target: string): string {
  const end = target.indexOf('?');
  return end === -1 ? target : target.slice(0, end);
}

/**
 * The query of a request target, as `application/x-www-form-urlencoded` (WHATWG URL §5.1). A parameter
 * given twice is a fault: two readers would take two of them. @throws `malformed_request` at a stray %
 */
export function readQuery(target: string): { values: Record<string, string>; faults: FieldFault[] } {
  const faults: FieldFault[] = [];
  const start = target.indexOf('?');
  if (start === -1) return { values: {}, faults };
  const query = target.slice(start + 1);
  decoded(query);
  const values = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (values.has(name)) faults.push({ field: name, message: 'is given twice' });
    values.set(name, value);
  }
  return { values: Object.fromEntries(values), faults };
}

/** Percent-encoded UTF-8, whole. @throws `malformed_request` */
export function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw regError('malformed_request', 'the request target holds a malformed percent-encoding', { cause });
  }
}
