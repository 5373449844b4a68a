// From an answered registration to the table of a gateway at another registry, 100 changes a second; beside it,
// in the same run, when the driver's own change stream shows the same documents to a third process.
import { quantile } from '../support/report.mjs';
import { startWorker } from './start-worker.mjs';

const perSecond = 100;

/** @returns the delays in milliseconds, from the answer and from the call */
export async function measureDelay(mongod, { changes }) {
  const [writer, gateway, stream] = [startWorker(), startWorker(), startWorker()];
  try {
    const url = mongod.urlOf('delay');
    await writer.ask('open', { url });
    await gateway.ask('open', { url });
    await gateway.ask('openGateway');
    await stream.ask('watch', { url });
    await writer.ask('registerSteadily', { first: 0, count: perSecond, perSecond }); // warms up
    const written = await writer.ask('registerSteadily', { first: perSecond, count: changes, perSecond });
    await writer.ask('registerSteadily', { first: 1_000_000, count: 1, perSecond }); // after all that counts
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const applied = await gateway.ask('applied');
    const seen = new Map(await stream.ask('seen'));
    const inTable = written.map(({ revision }) => {
      const first = applied.find((position) => position.revision >= revision);
      if (!first) throw new Error(`the gateway never had revision ${revision}`);
      return first.at;
    });
    const inStream = written.map(({ id }) => {
      if (!seen.has(id)) throw new Error(`the change stream never showed ${id}`);
      return seen.get(id);
    });
    return {
      changes,
      answer: spread(written.map(({ begunAt, answeredAt }) => answeredAt - begunAt)),
      tableAfterAnswer: spread(written.map(({ answeredAt }, index) => inTable[index] - answeredAt)),
      tableAfterCall: spread(written.map(({ begunAt }, index) => inTable[index] - begunAt)),
      streamAfterCall: spread(written.map(({ begunAt }, index) => inStream[index] - begunAt)),
    };
  } finally {
    for (const worker of [writer, gateway, stream]) await worker.stop();
  }
}

function spread(all) {
  return { p50Ms: quantile(all, 0.5), p99Ms: quantile(all, 0.99) };
}
