// A port that is taken is known by its number alone; who reads of it wants to know what chooses another one.
import { environmentNameOf } from './options.ts';

/**
 * @param flag that says the port
 * @throws what `server` throws; where the port is in use, with `chosenBy`
 */
export async function listening<Server>(server: Promise<Server>, flag: `--${string}`): Promise<Server> {
  try {
    return await server;
  } catch (error) {
    if (!isPortInUse(error)) throw error;
    throw Object.assign(error, { chosenBy: `${flag} or ${environmentNameOf(flag.slice(2))}` });
  }
}

export function isPortInUse(error: unknown): error is PortInUse {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}

interface PortInUse extends NodeJS.ErrnoException {
  readonly port?: number;
  /** What chooses another one. */
  readonly chosenBy?: string;
}
