// Containers with a label, as the engine's API tells them over its socket (Docker and Podman alike). Its events say
// when to look; looking again each few seconds finds what they missed.
import { type IncomingMessage, request } from 'node:http';
import { type Found, lookAgain, type Source, type SourceEvents } from './source.ts';

const everyMs = 5_000;
const answerMs = 5_000;
const maxReplyBytes = 16 * 1024 * 1024;
const followAgainMs = 5_000;
const inspectedAtOnce = 8;
const maxContainers = 1_000;

export interface DockerRuns {
  readonly label: string;
  readonly port?: number | undefined;
  readonly socket?: string | undefined;
}

interface Container {
  readonly Id: string;
  readonly Ports?: readonly {
    readonly IP?: string;
    readonly PrivatePort: number;
    readonly PublicPort?: number;
    readonly Type: string;
  }[];
  readonly Labels?: Readonly<Record<string, string>>;
  readonly NetworkSettings?: {
    readonly Networks?: Readonly<Record<string, { readonly IPAddress?: string }>>;
  };
}

interface Inspected {
  readonly State: { readonly StartedAt: string };
}

export function followDocker(
  { label, port, socket = '/var/run/docker.sock' }: DockerRuns,
  events: SourceEvents,
): Source {
  const looking = lookAgain(() => findContainers(socket, label, port), everyMs, events);
  const following = followEvents(socket, label, looking.soon);
  return {
    close() {
      following.close();
      looking.close();
    },
  };
}

async function findContainers(socket: string, label: string, port: number | undefined): Promise<Found[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [label], status: ['running'] }));
  const containers = (await getJson(socket, `/containers/json?filters=${filters}`)) as Container[];
  if (containers.length > maxContainers)
    throw new Error(`more than ${maxContainers} containers have the label ${label}`);
  const found: Found[] = [];
  for (let first = 0; first < containers.length; first += inspectedAtOnce) {
    const some = containers.slice(first, first + inspectedAtOnce);
    found.push(
      ...(await Promise.all(some.map((one) => placeOf(socket, one, port)))).flatMap((one) => one ?? []),
    );
  }
  return found.sort((one, other) => (one.instance < other.instance ? -1 : 1));
}

/** Undefined: it shows no port, or is gone. */
async function placeOf(
  socket: string,
  container: Container,
  wanted: number | undefined,
): Promise<Found | undefined> {
  const place = addressOf(container, wanted);
  if (!place) return undefined;
  // A container that is started again keeps its id.
  const inspected = (await getJson(socket, `/containers/${container.Id}/json`).catch(() => undefined)) as
    | Inspected
    | undefined;
  if (!inspected) return undefined;
  const id = container.Id.slice(0, 12);
  return { ...place, instance: id, identity: `${id}-${Date.parse(inspected.State.StartedAt)}` };
}

/** Where the machine shows it, else where it is in its network. */
function addressOf({ Ports = [], Labels = {}, NetworkSettings }: Container, given: number | undefined) {
  const wanted = given ?? (Number(Labels['reg.port']) || undefined);
  const ports = Ports.filter(
    ({ Type, PrivatePort }) => Type === 'tcp' && PrivatePort === (wanted ?? PrivatePort),
  );
  const shown = ports.find(({ PublicPort }) => PublicPort !== undefined);
  if (shown?.PublicPort !== undefined) {
    const everywhere = !shown.IP || shown.IP === '0.0.0.0' || shown.IP === '::';
    return { host: everywhere ? '127.0.0.1' : (shown.IP ?? ''), port: shown.PublicPort };
  }
  const host = Object.values(NetworkSettings?.Networks ?? {}).find(({ IPAddress }) => IPAddress)?.IPAddress;
  const port = wanted ?? ports[0]?.PrivatePort;
  return host && port !== undefined ? { host, port } : undefined;
}

function followEvents(socket: string, label: string, soon: () => void): { close(): void } {
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let stream: IncomingMessage | undefined;
  const again = () => {
    if (!closed) timer = setTimeout(follow, followAgainMs);
  };
  function follow(): void {
    const filters = encodeURIComponent(JSON.stringify({ label: [label], type: ['container'] }));
    const asking = request({
      socketPath: socket,
      path: `/events?filters=${filters}`,
      headers: { host: 'docker' },
    });
    asking.on('response', (response) => {
      stream = response;
      response.on('data', soon);
      response.on('close', again);
      response.on('error', () => undefined); // `close` follows
    });
    asking.on('error', again); // what is wrong, looking tells
    asking.end();
  }
  follow();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      stream?.destroy();
    },
  };
}

function getJson(socket: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: socket, path, headers: { host: 'docker' } }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxReplyBytes) asking.destroy(new Error(`${socket}: its answer has no end`));
        chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        try {
          const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
          if (response.statusCode === 200) return resolve(body);
          reject(new Error(`${socket}: ${response.statusCode} ${JSON.stringify(body).slice(0, 200)}`));
        } catch {
          reject(new Error(`${socket} answers ${response.statusCode}, and not as an engine does`));
        }
      });
    });
    asking.setTimeout(answerMs, () =>
      asking.destroy(new Error(`${socket}: no answer within ${answerMs} ms`)),
    );
    asking.on('error', reject);
    asking.end();
  });
}
