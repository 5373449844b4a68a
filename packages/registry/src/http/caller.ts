// Who asks, and from where. Behind a gateway every socket is the gateway's own: what it says of its client counts
// where it proves to be the gateway of this process, or an operator's.
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { type Asker, bytesOf, digestOf } from './credentials.ts';

export interface Caller extends Asker {
  /** An address; undefined: not known. */
  readonly from: string | undefined;
}

/**
 * @param proofs secrets of gateways whose word counts
 * @returns the address that a request is from
 */
export function createCallerAddress(
  proofs: readonly (string | Buffer)[],
): (request: IncomingMessage) => string | undefined {
  const digests = proofs.map(digestOf);
  return ({ headers, socket }) => {
    const said = headers['x-reg-client-address'];
    const proof = headers['x-reg-gateway-proof'];
    if (typeof said !== 'string' || typeof proof !== 'string' || isIP(said) === 0)
      return plainAddress(socket.remoteAddress);
    const digest = digestOf(bytesOf(proof));
    return digests.some((one) => timingSafeEqual(one, digest)) ? said : plainAddress(socket.remoteAddress);
  };
}

/** An IPv4 address that came in by a socket for both versions is IPv4; a zone means nothing elsewhere. */
function plainAddress(address: string | undefined): string | undefined {
  if (address?.startsWith('::ffff:') && address.includes('.')) return address.slice('::ffff:'.length);
  return address?.replace(/%.*$/s, '');
}
