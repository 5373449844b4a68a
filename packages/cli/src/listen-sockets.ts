// Sockets that systemd opened for us, before we ran: sd_listen_fds(3). Who connects meanwhile waits in their queue.
import { InvalidArgumentError } from 'commander';

/** File descriptors, by what listens there. */
export interface ListenSockets {
  readonly gateway?: number;
  readonly registry?: number;
}

const firstDescriptor = 3;
const names = ['gateway', 'registry'] as const;
const variables = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const;

/**
 * Takes them: whatever we start is not to believe that they are its own.
 * @throws InvalidArgumentError for a socket that we have no use for: who connects there would wait for ever
 */
export function takeListenSockets(environment: NodeJS.ProcessEnv, pid: number): ListenSockets {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = environment;
  for (const variable of variables) delete environment[variable];
  const count = Number(LISTEN_FDS);
  if (Number(LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1) return {};
  const given = LISTEN_FDNAMES.split(':');
  const sockets: { gateway?: number; registry?: number } = {};
  for (let index = 0; index < count; index++) {
    const name = names.find((one) => one === given[index]);
    if (name === undefined) throw unusable(`${given[index] || 'without a name'}`);
    if (sockets[name] !== undefined) throw unusable(`${name}, the second of this name`);
    sockets[name] = firstDescriptor + index;
  }
  return sockets;
}

function unusable(which: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `systemd gave a socket ${which}: one may be FileDescriptorName=gateway, and one registry`,
  );
}
