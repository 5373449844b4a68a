// The contract as OpenAPI 3.1, for generators and viewers. docs/openapi.json is this, written down; the
// registry serves it. Rules between fields (exactly one of generation, runId, force) have no words in
// JSON Schema: the descriptions say them.
import * as z from 'zod';
import { changeSet } from './change.ts';
import { contract } from './contract.ts';
import { endpoint } from './endpoint.ts';
import { historyEntry, note } from './history.ts';
import { instance, listedInstance } from './instance.ts';
import { notes, problemSchema } from './openapi-notes.ts';
import { type OperationName, operations, possibleCodes } from './operations.ts';
import { servicePolicy } from './policy.ts';
import { problems } from './problem.ts';
import { registrationBody } from './registration.ts';
import { authorizedRoles } from './service.ts';
import { listedService, service, serviceList, serviceListing, snapshot } from './snapshot.ts';

type Json = Readonly<Record<string, unknown>>;

export interface OpenapiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly [more: string]: unknown };
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly components: {
    readonly securitySchemes: Readonly<Record<string, Json>>;
    readonly schemas: Readonly<Record<string, Json>>;
  };
}

/** Schemas that are named once and referred to. */
const named = {
  Endpoint: endpoint,
  AuthorizedRoles: authorizedRoles,
  Registration: registrationBody,
  ServicePolicy: servicePolicy,
  Instance: instance,
  ListedInstance: listedInstance,
  Service: service,
  ListedService: listedService,
  ServiceList: serviceList,
  ServiceListing: serviceListing,
  Snapshot: snapshot,
  ChangeSet: changeSet,
  HistoryEntry: historyEntry,
  Note: note,
  Position: contract.unregister.reply,
  Nothing: contract.reportApplied.reply,
};

interface Shapes {
  readonly parameters: z.ZodType;
  readonly query: z.ZodType;
  readonly body?: z.ZodType;
  readonly reply?: z.ZodType;
}

/** @returns a new document at each call: whoever serves it keeps it */
export function openapi(): OpenapiDocument {
  const names = Object.keys(operations) as OperationName[];
  const schemas = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) schemas.add(schema, { id });
  for (const name of names) {
    const { body, reply }: Shapes = contract[name];
    if (body && !schemas.has(body)) schemas.add(body, { id: `${capital(name)}Body` });
    if (reply && !schemas.has(reply)) schemas.add(reply, { id: `${capital(name)}Reply` });
  }
  // What is sent: a duration is text and a generation digits until the registry has read them.
  const generated = z.toJSONSchema(schemas, { io: 'input', uri: reference });
  const paths: Record<string, Record<string, Json>> = {};
  for (const name of names) {
    const { path, method } = operations[name];
    paths[path] = { ...paths[path], [method.toLowerCase()]: operationOf(name, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Reg service registry', version: 'v1', license: { name: 'MIT', identifier: 'MIT' } },
    // A registry on loopback may have no token; one that has asks for it.
    security: [{}, { token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: {
        ...Object.fromEntries(Object.entries(generated.schemas).map(([id, one]) => [id, plain(one)])),
        Problem: problemSchema,
      },
    },
  };
}

type Named = z.core.$ZodRegistry<{ id: string }>;

function operationOf(name: OperationName, schemas: Named): Json {
  const { parameters, query, body, reply }: Shapes = contract[name];
  const { header, also, ...said } = notes[name];
  const content = reply
    ? { 'application/json': { schema: refer(reply, schemas) } }
    : { 'text/event-stream': { schema: { type: 'string' } } };
  return {
    operationId: name,
    ...said,
    parameters: [
      ...parametersOf(parameters, 'path'),
      ...parametersOf(query, 'query'),
      ...(header ? [{ name: header, in: 'header', schema: { type: 'string' } }] : []),
    ],
    ...(body && {
      requestBody: { required: true, content: { 'application/json': { schema: refer(body, schemas) } } },
    }),
    responses: {
      200: { description: 'done', content },
      ...Object.fromEntries(
        Object.entries(also ?? {}).map(([status, description]) => [
          status,
          Number(status) < 300 ? { description, content } : { description },
        ]),
      ),
      ...problemsOf(name, body !== undefined),
    },
  };
}

function parametersOf(shape: z.ZodType, place: 'path' | 'query'): Json[] {
  const { properties = {}, required = [] } = z.toJSONSchema(shape, { io: 'input' });
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: place,
    ...(required.includes(name) && { required: true }),
    schema,
  }));
}

/** One response for each status, naming the codes that it may have. */
function problemsOf(name: OperationName, hasBody: boolean): Json {
  const possible = possibleCodes(name, hasBody);
  const responses: Record<string, Json> = {};
  for (const status of new Set(possible.map((code) => problems[code].status))) {
    const same = possible.filter((code) => problems[code].status === status);
    const schema = {
      allOf: [{ $ref: reference('Problem') }, { properties: { code: { enum: same } } }],
    };
    responses[status] = {
      description: same.join(', '),
      content: { 'application/problem+json': { schema } },
    };
  }
  return responses;
}

function refer(schema: z.ZodType, schemas: Named): Json {
  return { $ref: reference(schemas.get(schema)?.id ?? '') };
}

function reference(id: string): string {
  return `#/components/schemas/${id}`;
}

/** Where it stands says what it is: `$id` would move the base of its references (RFC 3986 §5.1.1). */
function plain({ $id: _, $schema: __, ...schema }: Json): Json {
  return schema;
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
