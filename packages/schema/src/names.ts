// What things are called. Names of services are free text; ids are of the alphabet that URLs leave alone.
import * as z from 'zod';
import { text } from './text.ts';

/** `.` and `..` cannot be sent in a URL's path: every client resolves them (WHATWG URL §4.4). */
const notDots = (value: string) => value !== '.' && value !== '..';

/** A service's name: free text (`Tickets Query Service`), up to 100 characters. */
export const serviceName = text(100).refine(notDots, 'must not be "." or ".."');

/** One instance of a service. Left out, `host-port` of the first endpoint. */
export const instanceId = z
  .string()
  .regex(/^[A-Za-z0-9._:@%~-]{1,200}$/, 'must be 1 to 200 of A-Z a-z 0-9 . _ : @ % ~ -')
  .refine(notDots, 'must not be "." or ".."');

/** A random name that a run gives itself at start; under systemd `$INVOCATION_ID`. */
export const runId = z
  .string()
  .regex(/^[A-Za-z0-9._:@-]{1,100}$/, 'must be 1 to 100 of A-Z a-z 0-9 . _ : @ -');

/** A gateway, as it reports what it has applied. */
export const gatewayId = z
  .string()
  .regex(/^[A-Za-z0-9._:@-]{1,100}$/, 'must be 1 to 100 of A-Z a-z 0-9 . _ : @ -')
  .refine(notDots, 'must not be "." or ".."');

export const role = text(200);
export const tag = text(64);
