// So many HTTP checks in one schedule. After each period a line: how many were made, how late they began, how many
// failed.

import { checkHttp, createCheckSchedule } from '@reg/registrar';
import { quantile } from '../support/report.mjs';

const [url, instances, intervalMs] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const schedule = createCheckSchedule();
let failed = 0;
for (let index = 0; index < instances; index++) {
  schedule.add({
    intervalMs,
    async run(signal) {
      const { outcome } = await checkHttp({ type: 'http' }, url, 2_000, signal);
      if (outcome === 'failed') failed++;
    },
  });
}
setInterval(() => {
  const late = schedule.lateness();
  console.log(
    JSON.stringify({
      made: late.length,
      lateP50Ms: quantile(late, 0.5),
      lateP99Ms: quantile(late, 0.99),
      failed,
    }),
  );
  failed = 0;
}, intervalMs);
