// From the end of a registration to the gateway's table: an instance is registered, and the clock runs from
// before the call until every gateway has reported that it sends requests there (`waitFor=gateways`). The
// gateway is in one process with the registry, then across the network.
import { Pool } from 'undici';
import { startOurs } from './gateways/start.mjs';
import { keep, printTable, quantile } from './support/report.mjs';

const limitMs = 20;

/** @param {{ registrations: number, smoke: boolean }} options */
export async function benchPlacement({ registrations, smoke }) {
  const secret = 'a secret of the benches, of 32 bytes and more';
  const upstream = 'http://127.0.0.1:9'; // nobody asks it
  const rows = [];
  for (const isSplit of [false, true]) {
    const name = isSplit ? 'gateway across the network' : 'one process';
    const gateway = await startOurs(name, { upstream, secret, isSplit });
    try {
      rows.push({ placement: name, registrations, ...(await measure(gateway.registry, registrations)) });
    } finally {
      await gateway.stop();
    }
  }
  const cells = rows.map(({ placement, p50Ms, p99Ms, maxMs }) => {
    const figures = [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(2));
    return [placement, ...figures, p99Ms <= limitMs ? 'yes' : 'no'];
  });
  printTable([['placement', 'p50 ms', 'p99 ms', 'max ms', `p99 ≤ ${limitMs} ms`], ...cells]);
  if (!smoke) keep('placement', { limitMs, rows });
}

async function measure(registry, count) {
  const pool = new Pool(registry, { connections: 1 });
  const times = [];
  for (let index = 0; index < count; index++) {
    const began = performance.now();
    const { statusCode, body } = await pool.request({
      method: 'PUT',
      path: `/v1/services/service-${index}/instances/one?waitFor=gateways`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        url: `/service-${index}`,
        endpoints: [{ type: 'http', url: `http://127.1.${index >> 8}.${index & 255}:8080/` }],
        authorizedRoles: [],
        lease: 'none',
        runId: 'bench',
      }),
    });
    const answer = await body.json();
    times.push(performance.now() - began);
    if (statusCode !== 201 || answer.missing?.length > 0)
      throw new Error(`${statusCode} ${JSON.stringify(answer)}`);
  }
  await pool.close();
  return { p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99), maxMs: Math.max(...times) };
}
