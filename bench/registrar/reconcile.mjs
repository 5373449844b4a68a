// Times `reconcile` for so many instances of 100 services, a tenth of which want something done. Prints milliseconds.
import { reconcile } from '@reg/registrar';

const [count, times] = [Number(process.argv[2]), Number(process.argv[3])];
const owner = 'registrar:bench';
const states = [
  'passing',
  'passing',
  'passing',
  'passing',
  'passing',
  'passing',
  'passing',
  'passing',
  'warning',
  'failing',
];
const services = new Map();
const desired = new Map();
for (let index = 0; index < 100; index++) {
  const service = `service-${index}`;
  services.set(service, { service, entryKey: 'entry', policyKey: '{}' });
  desired.set(service, { service, entryKey: 'entry', policyKey: '{}', unregisterAfterMs: 60_000 });
}
const instances = Array.from({ length: count }, (_, index) => ({
  service: `service-${index % 100}`,
  instanceId: `10.0.0.1-${index}`,
  running: true,
  identity: `socket-${index}-c0ffee00`,
  saidKey: `[["http","http://10.0.0.1:${index}/"]]`,
  health: { state: states[index % 10], since: 0, because: 'GET /health: 200' },
  listed: {
    owner,
    runId: `socket-${index}-c0ffee00.0a1b2c3d`,
    state: 'up',
    saidKey: `[["http","http://10.0.0.1:${index}/"]]`,
  },
  drainedByUs: false,
  stopping: false,
  busy: false,
}));

const measured = [];
for (let time = 0; time < times; time++) {
  const began = performance.now();
  const actions = reconcile({ desired, complete: true, services, instances, owner }, 30_000);
  measured.push(performance.now() - began);
  if (actions.length !== count / 10) throw new Error(`${actions.length} actions`);
}
console.log(JSON.stringify(measured));
