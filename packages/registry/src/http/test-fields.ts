// For the tests of this folder: every place of the API where a caller's value goes, read off the contract,
// and a request that is good but for the value in one of them.
import { type OperationName, openapi, operationPath, operations } from '@reg/schema';

export interface Field {
  readonly operation: OperationName;
  readonly place: 'path' | 'query' | 'body';
  /** In the body: keys and indexes from its root; `[]`: the body itself. */
  readonly at: readonly (string | number)[];
}

/** Stands in `at` for a key that the caller makes up: the value is the key. */
export const anyKey = '\u0000key';

export const label = ({ operation, place, at }: Field) =>
  `${operation} ${place} ${at.map((step) => (step === anyKey ? '<key>' : step)).join('.')}`;

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
}

interface Operation {
  readonly operationId: OperationName;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
}

/** Also keys and parameters that nobody declared. */
export function fieldsOfContract(): Field[] {
  const { paths, components } = openapi();
  return Object.values(paths).flatMap((methods) =>
    Object.values(methods).flatMap((one) => {
      const { operationId: operation, parameters, requestBody } = one as unknown as Operation;
      const declared = parameters.flatMap(({ name, in: place }): Field[] =>
        place === 'path' || place === 'query' ? [{ operation, place, at: [name] }] : [],
      );
      const schema = requestBody?.content['application/json'].schema;
      const inBody = schema ? placesIn(schema, components.schemas, []) : [];
      return [
        ...declared,
        { operation, place: 'query' as const, at: [anyKey] },
        ...inBody.map((at): Field => ({ operation, place: 'body', at })),
      ];
    }),
  );
}

function placesIn(
  schema: Schema,
  all: Readonly<Record<string, Schema>>,
  at: readonly (string | number)[],
): (readonly (string | number)[])[] {
  if (schema.$ref !== undefined) {
    return placesIn(all[schema.$ref.replace('#/components/schemas/', '')] ?? {}, all, at);
  }
  const { properties = {}, items, additionalProperties, anyOf = [] } = schema;
  const below = [
    ...Object.entries(properties).flatMap(([name, one]) => placesIn(one, all, [...at, name])),
    ...(items ? placesIn(items, all, [...at, 0]) : []),
    ...(typeof additionalProperties === 'object' ? placesIn(additionalProperties, all, [...at, 'key']) : []),
    ...(additionalProperties === undefined || items ? [] : [[...at, anyKey]]),
    ...anyOf.flatMap((one) => placesIn(one, all, at).filter((place) => place.length > at.length)),
  ];
  return [at, ...below];
}

export interface Good {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body?: string | Uint8Array;
}

/** @param json the value as JSON text or bytes, for a body; as itself elsewhere */
export function requestWith(field: Field, good: Good, value: string, json: Uint8Array): Sent {
  const { operation, place, at } = field;
  const [name = ''] = at;
  const parameters = { ...good.parameters, ...(place === 'path' && { [name]: value }) };
  const query = new URLSearchParams(good.query);
  if (place === 'query' && name === anyKey) query.set(value, '1');
  else if (place === 'query') query.set(String(name), value);
  const search = query.size > 0 ? `?${query}` : '';
  const path = `${operationPath(operation, parameters)}${search}`;
  const { method } = operations[operation];
  if (good.body === undefined) return { method, path };
  return {
    method,
    path,
    body: place === 'body' ? bodyWith(good.body, at, value, json) : JSON.stringify(good.body),
  };
}

const mark = '\u0001here';

function bodyWith(good: unknown, at: Field['at'], value: string, json: Uint8Array): Uint8Array {
  const isKey = at.at(-1) === anyKey;
  const marked = JSON.stringify(put(structuredClone(good), isKey ? [...at.slice(0, -1), mark] : at));
  const [before = '', after = ''] = marked.split(JSON.stringify(mark));
  return Buffer.concat([
    Buffer.from(before),
    isKey ? Buffer.from(JSON.stringify(value)) : json,
    Buffer.from(after),
  ]);
}

/** Makes what is missing on the way: another branch of a union may be meant than the good one takes. */
function put(into: unknown, [step, ...rest]: Field['at']): unknown {
  if (step === undefined) return mark;
  if (step === mark) return { ...(isObject(into) ? into : {}), [mark]: 1 };
  if (typeof step === 'number') {
    const list = Array.isArray(into) ? [...into] : [];
    list[step] = put(list[step], rest);
    return list;
  }
  const known = isObject(into) ? into : {};
  return { ...known, [step]: put(known[step], rest) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
