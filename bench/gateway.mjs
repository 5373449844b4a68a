// Our gateway beside two that teams build from npm, in front of the same upstream, in interleaved rounds:
// A B C, B C A …, so that what else the machine does hits all alike. Medians and ratios are what counts.
import { randomBytes } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import { remote, startGateways, startUpstream } from './gateways/start.mjs';
import { cpuMicros } from './support/cpu.mjs';
import { keep, median, printTable } from './support/report.mjs';
import { rotated } from './support/rotated.mjs';
import { needWrk, wrk } from './support/wrk.mjs';

const connections = 64;
const kilobyte = 1024;

const cases = ['open', 'secured'].flatMap((service) => {
  const name = service === 'open' ? 'no token' : 'JWT';
  return [
    { name: `GET 1 kB, ${name}`, service, method: 'GET', path: kilobyte, bodyBytes: 0 },
    { name: `GET 64 kB, ${name}`, service, method: 'GET', path: 64 * kilobyte, bodyBytes: 0 },
    { name: `POST 1 kB, ${name}`, service, method: 'POST', path: '', bodyBytes: kilobyte },
    { name: `POST 64 kB, ${name}`, service, method: 'POST', path: '', bodyBytes: 64 * kilobyte },
  ];
});

/** @param {{ rounds: number, seconds: number, only: string, smoke: boolean }} options */
export async function benchGateway({ rounds, seconds, only, smoke }) {
  needWrk();
  const secret = randomBytes(32).toString('hex');
  const authorization = `Bearer ${tokenOf(secret)}`;
  const upstream = await startUpstream();
  const gateways = await startGateways({ upstream: upstream.url, secret });
  const chosen = cases.filter(({ name }) => name.includes(only));
  try {
    for (const gateway of gateways) for (const one of chosen) await check(gateway, one, authorization);
    const measured = new Map();
    for (let round = -1; round < rounds; round++) {
      for (const one of chosen) {
        for (const gateway of rotated(gateways, round + 1)) {
          const result = await measure(gateway, one, authorization, seconds);
          const key = `${one.name}\n${gateway.name}`;
          if (round >= 0) measured.set(key, [...(measured.get(key) ?? []), result]); // the first round warms up
        }
      }
    }
    const rows = chosen.flatMap((one) => {
      return gateways.map(({ name }) => summary(one.name, name, measured.get(`${one.name}\n${name}`)));
    });
    report(rows, gateways[0].name);
    if (!smoke) keep('gateway', { connections, rounds, seconds, rows });
  } finally {
    for (const gateway of gateways) await gateway.stop();
    await upstream.stop();
  }
}

function tokenOf(secret) {
  const claims = { sub: 'bench', roles: ['tickets-query'], aud: 'reg', iss: 'reg' };
  return jsonwebtoken.sign(claims, secret, { algorithm: 'HS256', expiresIn: '12h' });
}

/** Who answers wrongly is not measured. */
async function check(gateway, { service, method, path, bodyBytes, name }, authorization) {
  const url = `${gateway.url}/${service}/${path}`;
  const wrong = (what) => new Error(`${gateway.name} answers ${name} with ${what}`);
  const response = await fetch(url, {
    method,
    headers: { authorization },
    ...(bodyBytes > 0 && {
      headers: { authorization, 'content-type': 'application/octet-stream' },
      body: 'x'.repeat(bodyBytes),
    }),
  });
  const text = await response.text();
  if (response.status !== 200) throw wrong(`${response.status} ${text}`);
  const isRight = method === 'GET' ? text.length === path : JSON.parse(text).bytes === bodyBytes;
  if (!isRight) throw wrong(`${text.length} characters: ${text.slice(0, 80)}`);
  if (service === 'open') return;
  const refused = await fetch(url, { headers: { authorization: `${authorization.slice(0, -8)}AAAAAAAA` } });
  if (refused.status !== 401) throw wrong(`${refused.status} for a forged token`);
}

async function measure(gateway, { service, method, path, bodyBytes }, authorization, seconds) {
  const headers = service === 'open' ? {} : { Authorization: authorization };
  const before = cpuMicros(gateway.pid);
  const url = `${gateway.url}/${service}/${path}`;
  const { requests, microseconds, p50, p99 } = await wrk({
    url,
    connections,
    seconds,
    method,
    bodyBytes,
    headers,
  });
  const cpu = cpuMicros(gateway.pid) - before;
  return { perSecond: (requests * 1_000_000) / microseconds, cpuMicros: cpu / requests, p50, p99 };
}

function summary(name, gateway, rounds) {
  const of = (field) => Math.round(median(rounds.map((round) => round[field])) * 10) / 10;
  return {
    case: name,
    gateway,
    perSecond: of('perSecond'),
    cpuMicros: of('cpuMicros'),
    p50Micros: of('p50'),
    p99Micros: of('p99'),
  };
}

function report(rows, ours) {
  const heading = [
    'case',
    'gateway',
    'req/s',
    'CPU µs/req',
    'p50 ms',
    'p99 ms',
    'ours ÷ it',
    'its CPU ÷ ours',
  ];
  const lines = rows.map((row) => {
    const own = rows.find((other) => other.case === row.case && other.gateway === ours);
    return [
      row.case,
      row.gateway,
      row.perSecond.toFixed(0),
      row.cpuMicros.toFixed(1),
      (row.p50Micros / 1_000).toFixed(2),
      (row.p99Micros / 1_000).toFixed(2),
      (own.perSecond / row.perSecond).toFixed(2),
      (row.cpuMicros / own.cpuMicros).toFixed(2),
    ];
  });
  printTable([heading, ...lines]);
  const shares = rows.flatMap((row) => {
    const own = rows.find((other) => other.case === row.case && other.gateway === ours);
    return row.gateway === remote ? [row.p50Micros / own.p50Micros] : [];
  });
  console.log(
    `p50 with the registry remote, over that in process: ${median(shares).toFixed(3)} (median of the cases)`,
  );
}
