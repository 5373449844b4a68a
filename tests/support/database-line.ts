// A line to a database that fails as lines do: it is cut, goes silent, or breaks before an answer is through.
// Plain TCP; that a chunk holds a certain command is seen by its text.
import { connect, createServer, type Socket } from 'node:net';

export interface DatabaseLine extends AsyncDisposable {
  /** As that of the one member behind it; whoever connects sees only this one. */
  urlOf(database: string): string;
  /** Every connection breaks, and new ones break too. */
  cut(): void;
  /** Connections stay open, and nothing passes over them any more; new ones are good. */
  silence(): void;
  /** As `silence`, but only the connection that carries the next command which holds all these words, from then on. */
  silenceOne(...words: readonly string[]): void;
  /** Whether that command is still to come. */
  toSilence(): boolean;
  /** As before, for new connections. */
  heal(): void;
  /** The next commands that hold all these words reach the database, and their answers are lost with the connection. */
  loseAnswers(count: number, ...words: readonly string[]): void;
  /** How many of them are still to come. */
  toLose(): number;
}

/** @param target `mongodb://127.0.0.1:PORT` */
export async function startDatabaseLine(target: string): Promise<DatabaseLine> {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  const silent = new WeakSet<Socket>();
  let isCut = false;
  let silencing: readonly string[] | undefined;
  let losing = { count: 0, words: [] as readonly string[] };

  function isToSilence(chunk: Buffer): boolean {
    const text = chunk.toString('latin1');
    if (!silencing?.every((word) => text.includes(word))) return false;
    silencing = undefined;
    return true;
  }

  function isToLose(chunk: Buffer): boolean {
    const text = chunk.toString('latin1');
    if (losing.count === 0 || !losing.words.every((word) => text.includes(word))) return false;
    losing.count -= 1;
    return true;
  }

  const server = createServer((near) => {
    if (isCut) {
      near.destroy();
      return;
    }
    const far = connect(Number(port), hostname);
    let lost = false;
    sockets.add(near);
    near.on('data', (chunk: Buffer) => {
      if (isToSilence(chunk)) silent.add(near);
      if (silent.has(near)) return;
      lost ||= isToLose(chunk);
      far.write(chunk);
    });
    far.on('data', (chunk: Buffer) => {
      if (silent.has(near)) return;
      if (lost) near.destroy();
      else near.write(chunk);
    });
    near.on('error', () => far.destroy()).on('close', () => sockets.delete(near) && far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    urlOf: (database) =>
      `mongodb://127.0.0.1:${(server.address() as { port: number }).port}/${database}?directConnection=true`,
    cut() {
      isCut = true;
      breakAll();
    },
    silence() {
      for (const socket of sockets) silent.add(socket);
    },
    silenceOne(...words) {
      silencing = words;
    },
    toSilence: () => silencing !== undefined,
    heal() {
      isCut = false;
    },
    loseAnswers(count, ...words) {
      losing = { count, words };
    },
    toLose: () => losing.count,
    async [Symbol.asyncDispose]() {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
