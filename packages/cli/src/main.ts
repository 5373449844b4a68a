// reg: the command line, wired. What a command does is in commands/, loaded when it is called.
import { Command } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { addInstanceCommands } from './command-line/instances.ts';
import { addRegistrarCommands } from './command-line/registrar.ts';
import { addRunCommand } from './command-line/run.ts';
import { addSystemdCommands } from './command-line/systemd.ts';
import type { ConfigOptions } from './commands/config.ts';
import type { ExplainOptions } from './commands/explain.ts';
import type { HistoryOptions } from './commands/history.ts';
import type { LoadOptions } from './commands/load.ts';
import type { MovePathOptions } from './commands/move-path.ts';
import type { ScaleOptions } from './commands/scale.ts';
import type { ServicesOptions } from './commands/services.ts';
import type { TokenOptions } from './commands/token.ts';
import type { UpOptions } from './commands/up.ts';
import type { VerifyOptions } from './commands/verify.ts';
import type { WatchOptions } from './commands/watch.ts';
import { describeError, exitCodeOf, exitCodes } from './exit-code.ts';
import { misspeltFlag } from './misspelt-flag.ts';
import { namedCommand } from './named-command.ts';
import {
  addressesOf,
  collect,
  countOf,
  dataFlag,
  dropEmptySettings,
  durationOf,
  flag,
  jsonFlag,
  jwtFlags,
  limitOf,
  listOf,
  nameOf,
  networksOf,
  originsOf,
  portOf,
  registryFlag,
  registryTokenFlag,
  storeFlag,
} from './options.ts';

const program = new Command('reg')
  .description('A service registry and gateway: run it, and say what runs where.')
  .version(packageJson.version)
  .enablePositionalOptions()
  .exitOverride()
  .configureOutput({ outputError: () => undefined }) // told once, at the end
  .addHelpText(
    'after',
    `
Every flag has an environment name: REG_ and the flag in capitals (--registry is REG_REGISTRY).
Exit codes: 0 ok, 1 refused or failed, 2 wrong usage, 3 the registry does not answer,
4 waited in vain (--wait-for); ended by a signal: 128 and its number.`,
  );

const up = program
  .command('up')
  .description('run a registry and a gateway')
  .addOption(flag('--gateway-port <port>', 'of the gateway, 0: any free one').argParser(portOf).default(3000))
  .addOption(
    flag('--registry-port <port>', 'of the registry API, 0: any free one').argParser(portOf).default(3100),
  )
  .addOption(
    flag('--admin-port <port>', 'where the gateway tells of itself, 0: any free one (default: not at all)')
      .argParser(portOf)
      .conflicts('registryOnly'),
  )
  .addOption(flag('--host <address>', 'to listen on; beyond loopback needs credentials').default('127.0.0.1'))
  .addOption(flag('--registry-only', 'run no gateway').conflicts('gatewayOnly'))
  .addOption(
    flag('--gateway-only', 'run no registry, follow the one at --registry, or read the database of --store'),
  )
  .addOption(storeFlag().default('memory'))
  .addOption(registryFlag())
  .addOption(registryTokenFlag())
  .addOption(flag('--revoked <file>', 'ids of tokens for the registry that count no more, one a line'));
for (const option of jwtFlags()) up.addOption(option);
up.addOption(
  flag('--jwt-jwks <url>', 'the keys of the tokens’ issuer, instead of a secret').conflicts('jwtSecret'),
)
  .addOption(
    flag(
      '--allow-upstreams <cidr,…>',
      'networks in which upstreams may be (default: loopback and private ranges)',
    ).argParser(networksOf),
  )
  .addOption(
    flag('--trusted-proxies <cidr,…>', 'networks of proxies whose X-Forwarded-* is believed').argParser(
      networksOf,
    ),
  );
up.addOption(
  flag(
    '--allow-origin <url>',
    'web pages from there may open WebSockets, beside the gateway’s own; repeatable',
  ).argParser(originsOf),
)
  .addOption(
    flag(
      '--registry-path <path>',
      'the registry API behind the gateway, like /registry; needs --registry-token',
    ),
  )
  .addOption(dataFlag())
  .addOption(
    flag('--grant-path <path=service>', 'a reserved path and who may have it; repeatable').argParser(collect),
  )
  .addOption(
    flag('--log <form>', 'on stderr (default: pretty on a terminal, else json)').choices(['json', 'pretty']),
  )
  .addOption(jsonFlag())
  .action(async (options: UpOptions) => (await import('./commands/up.ts')).up(options));

addInstanceCommands(program);
addRegistrarCommands(program);
addRunCommand(program);
addSystemdCommands(program);

program
  .command('move-path')
  .description('give a path to another service, which gives its own in return')
  .argument('<path>', 'at the gateway')
  .addOption(flag('--from <name>', 'the service that has it').argParser(nameOf).makeOptionMandatory())
  .addOption(flag('--to <name>', 'the service that gets it').argParser(nameOf).makeOptionMandatory())
  .addOption(registryFlag())
  .addOption(registryTokenFlag())
  .addOption(jsonFlag())
  .action(async (path: string, options: MovePathOptions) => {
    await (await import('./commands/move-path.ts')).movePath(path, options);
  });

program
  .command('scale')
  .description('say how many instances there should be, or leave it to the policy again')
  .argument('<name>', 'of the service', nameOf)
  .argument('[count]', 'of instances', countOf)
  .addOption(flag('--policy', 'rather as many as the policy says'))
  .addOption(registryFlag())
  .addOption(registryTokenFlag())
  .addOption(jsonFlag())
  .action(async (name: string, count: number | undefined, options: ScaleOptions) => {
    await (await import('./commands/scale.ts')).scale(name, count, options);
  });

program
  .command('services')
  .description('what is registered')
  .argument('[name]', 'of one service', nameOf)
  .addOption(flag('--invalid', 'rather the documents of a database that are left alone, and why'))
  .addOption(registryFlag())
  .addOption(registryTokenFlag())
  .addOption(jsonFlag())
  .action(async (name: string | undefined, options: ServicesOptions) => {
    await (await import('./commands/services.ts')).services(name, options);
  });

program
  .command('watch')
  .description('a line per change')
  .addOption(registryFlag())
  .addOption(registryTokenFlag())
  .addOption(jsonFlag())
  .action(async (options: WatchOptions) => (await import('./commands/watch.ts')).watch(options));

program
  .command('history')
  .description('what happened: who, what, when, why, from where')
  .argument('[name]', 'of one service', nameOf)
  .addOption(flag('--after <position>', 'from there on, all that is kept (default: the latest 100)'))
  .addOption(flag('--limit <count>', 'entries, 1 to 1000').argParser(limitOf))
  .addOption(registryFlag())
  .addOption(registryTokenFlag())
  .addOption(jsonFlag())
  .action(async (name: string | undefined, options: HistoryOptions) => {
    await (await import('./commands/history.ts')).history(name, options);
  });

program
  .command('load')
  .description('tell that a service has much to do, or no more')
  .argument('<name>', 'of the service', nameOf)
  .argument('<level>', 'high or normal')
  .addOption(flag('--for <time>', 'how long it holds (default: 1m)').argParser(durationOf))
  .addOption(flag('--by <text>', 'who says so'))
  .addOption(registryFlag())
  .addOption(registryTokenFlag())
  .addOption(jsonFlag())
  .action(async (name: string, level: string, options: LoadOptions) => {
    await (await import('./commands/load.ts')).load(name, level, options);
  });

program
  .command('explain')
  .description('what would become of a request at the gateway, and why; exit 0: an instance would be asked')
  .argument('<method>', 'as GET')
  .argument('[target]', 'as /tickets/1')
  .addOption(flag('--token <text>', 'of the caller; rather as REG_TOKEN'))
  .addOption(flag('--admin <url>', 'of a gateway alone: its admin port').argParser(addressesOf))
  .addOption(registryFlag())
  .addOption(registryTokenFlag())
  .addOption(jsonFlag())
  .action(async (method: string, target: string | undefined, options: ExplainOptions) => {
    await (await import('./commands/explain.ts')).explain(method, target, options);
  });

program
  .command('verify')
  .description('read a whole store and say what is invalid or inconsistent in it; exit 0: nothing is')
  .addOption(storeFlag().makeOptionMandatory())
  .addOption(jsonFlag())
  .action(async (options: VerifyOptions) => (await import('./commands/verify.ts')).verify(options));

program
  .command('config')
  .description('the settings of a command as they are in effect')
  .argument('[command-and-flags...]', 'default: up')
  .addOption(flag('--show-origin', 'where each comes from'))
  .addOption(jsonFlag())
  .allowUnknownOption()
  .action(async (words: string[], options: ConfigOptions) => {
    (await import('./commands/config.ts')).config(words, options, program.commands);
  });

const token = program
  .command('token')
  .description('a token that reg up accepts')
  .addOption(
    flag('--for <what>', 'the gateway’s services, or the registry')
      .choices(['services', 'registry'])
      .default('services'),
  )
  .addOption(flag('--sub <name>', 'whose token it is'))
  .addOption(flag('--roles <a,b>', 'what its holder may').argParser(listOf).default([], 'none'))
  .addOption(
    flag('--services <a,b-*>', 'with --for registry: what it may write; * at the end only').argParser(listOf),
  )
  .addOption(flag('--read-only', 'with --for registry: it writes nothing'))
  .addOption(registryTokenFlag())
  .addOption(flag('--ttl <time>', 'how long it is valid').argParser(durationOf).default(3_600_000, '1h'))
  .addOption(dataFlag())
  .addOption(jsonFlag())
  .action(async (options: TokenOptions) => (await import('./commands/token.ts')).token(options));
for (const option of jwtFlags()) token.addOption(option);

// `reg watch | head -1`: who read enough wants no more, and that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCodes.ok);
});

dropEmptySettings(program.commands, process.env);
try {
  await program.parseAsync(namedCommand(program, process.argv.slice(2)), { from: 'user' });
} catch (error) {
  const description = describeError(misspeltFlag(error, program, process.argv.slice(2)) ?? error);
  if (description !== undefined) process.stderr.write(`${description}\n`);
  process.exitCode = exitCodeOf(error);
}
