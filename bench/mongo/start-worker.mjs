import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const worker = fileURLToPath(new URL('worker.mjs', import.meta.url));

/** @returns a process that does tasks of worker.mjs: `ask('open', { url })` resolves to what the task returned */
export function startWorker() {
  const child = fork(worker, { execArgv: ['--expose-gc'], env: { ...process.env, NODE_ENV: 'production' } });
  const waiting = new Map();
  let asked = 0;
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  child.on('message', ({ number, result, error }) => {
    const { resolve, reject } = waiting.get(number);
    waiting.delete(number);
    if (error === undefined) resolve(result);
    else reject(new Error(error));
  });
  const ended = once(child, 'exit').then(([code, signal]) => {
    process.off('exit', kill);
    for (const { reject } of waiting.values()) reject(new Error(`a worker ended with ${code ?? signal}`));
  });

  function ask(task, options) {
    const number = asked++;
    child.send({ number, task, options });
    return new Promise((resolve, reject) => waiting.set(number, { resolve, reject }));
  }

  async function stop() {
    child.send({ number: asked++, task: 'end' });
    const stuck = setTimeout(kill, 10_000);
    await ended;
    clearTimeout(stuck);
  }
  return { pid: child.pid, ask, stop };
}
