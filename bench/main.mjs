// `pnpm bench [gateway|registry|placement|registrar|store-mongo …] [--rounds 5] [--seconds 2] [--only 'GET 1 kB']`: all, or those named.
// `--smoke`: each starts, answers right and prints, with next to no load; no figure of it means anything.
import { parseArgs } from 'node:util';
import { benchGateway } from './gateway.mjs';
import { benchPlacement } from './placement.mjs';
import { benchRegistrar } from './registrar.mjs';
import { benchRegistry } from './registry.mjs';
import { benchStoreMongo } from './store-mongo.mjs';
import { warnWhereBusy } from './support/report.mjs';

const benches = {
  gateway: benchGateway,
  registry: benchRegistry,
  placement: benchPlacement,
  registrar: benchRegistrar,
  'store-mongo': benchStoreMongo,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string' },
    smoke: { type: 'boolean', default: false },
  },
});
const { smoke, only = smoke ? 'GET 1 kB, JWT' : '' } = values;
const options = smoke
  ? { smoke, only, rounds: 1, seconds: 1, instances: 20, registrations: 5 }
  : {
      smoke,
      only,
      rounds: Number(values.rounds),
      seconds: Number(values.seconds),
      instances: 2_000,
      registrations: 500,
    };

warnWhereBusy();
for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
  const bench = benches[name];
  if (!bench) throw new Error(`${name} is no bench: ${Object.keys(benches).join(', ')}`);
  console.log(`\n${name}`);
  await bench(options);
}
