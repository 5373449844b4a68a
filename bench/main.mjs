// `pnpm bench [gateway] [--rounds 5] [--seconds 2] [--only 'GET 1 kB']`: all benches, or those named.
// `--smoke`: each starts, answers right and prints, with next to no load; no figure of it means anything.
import { parseArgs } from 'node:util';
import { benchGateway } from './gateway.mjs';

const benches = { gateway: benchGateway };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string' },
    smoke: { type: 'boolean', default: false },
  },
});
const options = values.smoke
  ? { rounds: 1, seconds: 1, only: values.only ?? 'GET 1 kB, JWT', smoke: true }
  : { rounds: Number(values.rounds), seconds: Number(values.seconds), only: values.only, smoke: false };

for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
  const bench = benches[name];
  if (!bench) throw new Error(`${name} is no bench: ${Object.keys(benches).join(', ')}`);
  console.log(`\n${name}`);
  await bench(options);
}
