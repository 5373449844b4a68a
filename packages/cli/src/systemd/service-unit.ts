// The text of a unit that runs a service and lists it. Pure: nothing is read, nothing written.
import { commandLine, environmentLine, literal, plainValue, word } from './unit-syntax.ts';

export interface ListedUnit {
  /** The service's name: free text. */
  readonly name: string;
  /** Of the unit, without `.service`, and for a template without `@`. */
  readonly slug: string;
  /** How `reg` is called: a program and its first arguments. */
  readonly reg: readonly string[];
  readonly scope: 'system' | 'user';
  /** `%i` is the port, or whatever `%E/reg/SLUG@%i.env` gives PORT for. */
  readonly template: boolean;
  readonly host: string;
  /** Undefined: a template's. */
  readonly port: number | undefined;
  /** The path at the gateway. */
  readonly url: string;
  /** `{port}` in it is the port. */
  readonly endpoint: string;
  /** `{port}` in it is the port. */
  readonly health: string | undefined;
  /** Flags of `reg register` beside these: who may call, tags, … */
  readonly flags: readonly string[];
  readonly registry: string;
}

export interface RunUnit extends ListedUnit {
  readonly command: readonly string[];
  readonly directory: string | undefined;
  /** Of the system manager; undefined: a user of its own, made at its start. */
  readonly runAs: string | undefined;
  readonly environment: readonly (readonly [name: string, value: string])[];
}

/** Together they stay below TimeoutStartSec=: the wait must end before systemd ends it. */
const waiting = ['--wait-for-limit', '60s', '--retry', '20s'];

const portCheck =
  '\'if (: </dev/tcp/$$HOST/$$PORT) 2>/dev/null; then echo "$$HOST port $$PORT is in use" >&2; exit 1; fi\'';

/** A unit of its own, `SLUG.service` or `SLUG@.service`. */
export function serviceUnit(unit: RunUnit): string {
  const { name, slug, scope, template, host, port, registry, directory } = unit;
  const instance = template ? '@%i' : '';
  const variables = { host: host.includes(':') ? `[${host}]` : variable('HOST'), port: variable('PORT') };
  const command = unit.command.map((part) => word(literal(part).replaceAll('{port}', variables.port)));
  return `${written(unit)}
[Unit]
Description=${plainValue(name)}${template ? ' (%i)' : ''}
After=network.target reg.service

[Service]
Type=exec
SyslogIdentifier=%N
${directory === undefined ? '' : `WorkingDirectory=${plainValue(directory)}\n`}
# What differs from one machine to the next, and secrets like REG_REGISTRY_TOKEN, go into the file below.
${environmentLine('HOST', host)}
Environment=PORT=${port ?? '%i'}
${environmentLine('REG_REGISTRY', registry)}
${unit.environment.map(([key, value]) => `${environmentLine(key, value)}\n`).join('')}EnvironmentFile=-%E/reg/${slug}${instance}.env
${unsetEnvironment}

# Whoever listens there now is not ours: without this line its address would be listed, and then unlisted.
ExecStartPre=/usr/bin/env bash -c ${portCheck}
${commandLine('ExecStart=', command)}

${listingLines(unit, variables, waiting)}

Restart=on-failure
RestartSec=1
TimeoutStartSec=120
TimeoutStopSec=30

${hardening(unit)}

[Install]
WantedBy=${scope === 'system' ? 'multi-user' : 'default'}.target
`;
}

/** A drop-in for a unit that is there: it adds the listing, and changes nothing of how the service runs. */
export function dropIn(unit: ListedUnit): string {
  const { host, port, slug, registry } = unit;
  const variables = { host: host.includes(':') ? `[${host}]` : literal(host), port: String(port ?? '%i') };
  // Its unit has a time limit of its own, 90 s where it says nothing.
  const shorter = ['--wait-for-limit', '40s', '--retry', '15s'];
  return `${written(unit)}
[Service]
# REG_REGISTRY_TOKEN=… goes into this file, where the registry asks for one.
EnvironmentFile=-%E/reg/${slug}.env
${unsetEnvironment}

${listingLines(unit, variables, shorter, ['--registry', word(literal(registry))])}
`;
}

const unsetEnvironment = `# It is listed by this unit: a client in it must not list it once more.
UnsetEnvironment=SELF_REGISTRY`;

function listingLines(
  { name, reg, url, endpoint, health, flags }: ListedUnit,
  { host, port }: { readonly host: string; readonly port: string },
  patience: readonly string[],
  registry: readonly string[] = [],
): string {
  const call = (verb: string) => [...reg.map((part) => word(literal(part))), verb, word(literal(name))];
  const address = (text: string) => word(literal(text).replaceAll('{host}', host).replaceAll('{port}', port));
  const run = [`--run-id ${variable('INVOCATION_ID')}`];
  const register = [
    ...call('register'),
    ...['--url', word(literal(url)), `--endpoint ${address(endpoint)}`],
    ...flags.map((part) => word(literal(part))),
    ...run,
    '--owner systemd:%n',
    '--this-boot',
    `--wait-for ${address(health ?? '{host}:{port}')}`,
    `--pid ${variable('MAINPID')}`,
    ...pairs(patience),
    ...pairs(registry),
    '--quiet',
  ];
  const drain = [...call('drain'), ...run, '--wait', ...pairs(registry), '--quiet'];
  const ended = `--reason "systemd: ${['SERVICE_RESULT', 'EXIT_CODE', 'EXIT_STATUS'].map(variable).join(' ')}"`;
  const unregister = [...call('unregister'), ...run, ended, '--retry 5s', ...pairs(registry), '--quiet'];
  return `# Listed once it answers. A registry that is away, or says no, does not keep it from running (the "-").
${commandLine('ExecStartPost=-', register)}

# Stopped, it gets nothing new before it ends. Unlisted after every kind of end, \`kill -9\` included, with the reason.
# Both name this run, so that a late one never unlists the next.
${commandLine('ExecStop=-', drain)}
${commandLine('ExecStopPost=-', unregister)}`;
}

/** Of the environment, as systemd writes it inside a word. */
function variable(name: string): string {
  return `\${${name}}`;
}

/** A flag stays beside its value where the line is broken. */
function pairs(words: readonly string[]): string[] {
  return words.flatMap((one, index) => (index % 2 === 0 ? [`${one} ${words[index + 1]}`] : []));
}

/** How we know our own again; systemd leaves sections of this kind to others (systemd.unit(5)). */
function written({ name }: ListedUnit): string {
  return `# Written by \`reg systemd install\`; \`reg systemd remove\` takes it away. Yours to change from here on.

[X-Reg]
Service=${JSON.stringify(name)}
`;
}

function hardening({ scope, slug, runAs, port, directory, command, reg }: RunUnit): string {
  if (scope === 'user') {
    return `NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native`;
  }
  const privileged = port !== undefined && port < 1024;
  const inHome = [directory ?? '', ...command, ...reg].some((path) =>
    /^\/(home|root|run\/user)(\/|$)/.test(path),
  );
  return `# ${runAs === undefined ? 'A user of its own' : 'A user'} whose only writable place is /var/lib/${slug}; what it does not need is out of reach.
${runAs === undefined ? 'DynamicUser=yes' : `User=${plainValue(runAs)}`}
StateDirectory=${slug}
UMask=0077
NoNewPrivileges=yes
${privileged ? 'AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE' : 'CapabilityBoundingSet='}
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=${inHome ? 'read-only' : 'yes'}
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
# Not MemoryDenyWriteExecute: node compiles JavaScript to machine code as it runs.`;
}
