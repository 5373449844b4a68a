// What a policy file may say: the entry of a service, its policy, and what only the registrar does with it.
import { endpoint, registration, servicePolicy } from '@reg/schema';
import * as z from 'zod';

const ms = (least: number, most: number) => z.int().min(least).max(most);
const aDayMs = 86_400_000;
const port = z.int().min(1).max(65_535);
const { name, url, merge, partial, authorizedRoles, access, version, zone, weight, tags, metadata } =
  registration.shape;

/** A program and its arguments: no shell reads them. */
const command = z.array(z.string().min(1).max(4_096)).min(1).max(64);
const webhook = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .max(2_048, 'must have at most 2048 characters');

const range = z
  .tuple([port, port])
  .refine(([first, last]) => first <= last && last - first < 1_000, 'must be [first, last], at most 1000');

/** An endpoint as in a registration; in its url `{host}`, `{port}` and `{instance}` are those of the instance. */
const endpointPattern = z
  .strictObject({
    type: endpoint.shape.type.default('http'),
    url: z.string().max(2_048, 'must have at most 2048 characters'),
    as: endpoint.shape.as,
  })
  .superRefine(({ type, url }, context) => {
    const { error } = endpoint.safeParse({
      type,
      url: fillIn(url, { host: 'host', port: 1, instance: '1' }),
    });
    for (const { message } of error?.issues ?? [])
      context.addIssue({ code: 'custom', path: ['url'], message });
  });

const action = z.union([z.strictObject({ command }), z.strictObject({ webhook })], {
  error: 'must be { command: [program, argument] } or { webhook: url }',
});

/** Where its instances are looked for. */
const runs = z.union(
  [
    z.strictObject({
      /** A unit, or a template with all its instances: `tickets@.service`. */
      systemd: z
        .string()
        .regex(
          /^[A-Za-z0-9:_.\\-]{1,200}@?\.service$/,
          'must be a unit, like tickets.service or tickets@.service',
        ),
      /** Of the user's own manager. @default true in a user's session, unless the user is root */
      user: z.boolean().optional(),
      /** @default the instance's name, where it is a number, else where its main process listens */
      port: port.optional(),
    }),
    z.strictObject({
      /** Each on which somebody listens is an instance. */
      ports: z.array(port).min(1).max(1_000),
      /** @default 127.0.0.1 */
      host: z
        .string()
        .regex(/^[A-Za-z0-9.:-]{1,253}$/, 'must be a host name or an address')
        .optional(),
    }),
    z.strictObject({
      docker: z.strictObject({
        /** `reg.service` or `reg.service=tickets`. */
        label: z
          .string()
          .regex(/^[A-Za-z0-9._/-]{1,200}(=[ -~]{0,200})?$/, 'must be a label, like reg.service=tickets'),
        /** In the container. @default the first that it shows */
        port: port.optional(),
        /** @default /var/run/docker.sock */
        socket: z.string().startsWith('/').max(100).optional(),
      }),
    }),
    z.strictObject({
      /** A folder with one document for each instance: `{ url, endpoints, authorizedRoles }`. */
      documents: z.string().min(1).max(1_024),
    }),
  ],
  { error: 'must be one of { systemd }, { ports }, { docker } or { documents }' },
);

const start = z.union(
  [
    z.strictObject({
      /** A template, started with a number: `tickets@`. */
      systemd: z.string().regex(/^[A-Za-z0-9:_.\\-]{1,200}@$/, 'must be a template, like tickets@'),
      user: z.boolean().optional(),
      /** The numbers it may have. @default 1 and so on */
      instances: range.optional(),
    }),
    z.strictObject({
      /** `{port}` in it is a free one of `ports`. */
      command,
      ports: range,
    }),
    z.strictObject({ webhook }),
  ],
  { error: 'must be one of { systemd }, { command, ports } or { webhook }' },
);

const scaling = z.strictObject({
  ...servicePolicy.shape.scaling.unwrap().shape,
  /** How a new instance is asked for. */
  start: start.optional(),
  /** One that is to be stopped finishes what it has for so long. @default 5_000 */
  drainMs: ms(0, aDayMs).optional(),
});

const commandCheck = z.strictObject({
  /** Exit code 0 passes, 1 warns, any other fails. */
  command,
});

/** A file of the policies folder: `tickets.yaml`. */
export const policyFile = z
  .strictObject({
    $schema: z.string().max(2_048).optional(),
    /** @default the file's name */
    name: name.optional(),
    url: url.optional(),
    /** @default the public path at the instance's host and port */
    endpoints: z.array(endpointPattern).min(1).max(16).optional(),
    merge,
    partial,
    authorizedRoles: authorizedRoles.optional(),
    access,
    version,
    zone,
    weight,
    tags,
    metadata,
    ...servicePolicy.shape,
    scaling: scaling.optional(),
    commandChecks: z.array(commandCheck).max(8).optional(),
    runs: runs.optional(),
    on: z
      .strictObject({ failing: action.optional(), recovered: action.optional(), highLoad: action.optional() })
      .optional(),
  })
  .superRefine((file, context) => {
    const fault = (message: string, ...path: string[]) => context.addIssue({ code: 'custom', path, message });
    if (file.url !== undefined && file.authorizedRoles === undefined && file.access !== 'public')
      fault('is needed where url is given: an empty list is any valid token', 'authorizedRoles');
    if (file.url === undefined) {
      for (const key of ['endpoints', 'authorizedRoles', 'access', 'runs'] as const)
        if (file[key] !== undefined) fault('needs url', key);
    } else if (
      file.runs === undefined &&
      file.endpoints === undefined &&
      startedPorts(file.scaling) === undefined
    )
      fault('says nothing of where it runs: give endpoints or runs', 'url');
    const { min = 1, max } = file.scaling ?? {};
    if (max !== undefined && min > max) fault('must not be less than min', 'scaling', 'max');
  });

export type PolicyFile = z.infer<typeof policyFile>;
export type Start = z.infer<typeof start>;
export type HookAction = z.infer<typeof action>;

/** Where the instances of a command are: its ports. */
export function startedPorts(scaling: PolicyFile['scaling']): number[] | undefined {
  const { start } = scaling ?? {};
  if (!start || !('command' in start)) return undefined;
  const [first, last] = start.ports;
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

export interface Place {
  readonly host: string;
  readonly port: number | undefined;
  /** As its source names it: a unit's instance, a port. */
  readonly instance: string;
}

/** `{host}`, `{port}` and `{instance}` as they are there. */
export function fillIn(text: string, { host, port, instance }: Place): string {
  const values: Record<string, string> = {
    host: host.includes(':') ? `[${host}]` : host,
    port: String(port ?? ''),
    instance,
  };
  return text.replace(/\{(host|port|instance)\}/g, (_, key: string) => values[key] ?? '');
}
