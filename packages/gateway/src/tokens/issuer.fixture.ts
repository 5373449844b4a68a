// For tests: an issuer with keys of its own, whose set is served on a real socket.
import { generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { startUpstream } from '../gateway.fixture.ts';
import { goodClaims } from './signed.fixture.ts';

export interface IssuerKey {
  readonly kid: string;
  readonly algorithm: 'RS256' | 'ES256';
  readonly privateKey: KeyObject;
  /** Public, as it is published. */
  readonly jwk: JsonWebKey;
}

export function issuerKey(kid: string, algorithm: 'RS256' | 'ES256' = 'ES256'): IssuerKey {
  const { privateKey, publicKey } =
    algorithm === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, algorithm, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid } };
}

/** A token of `goodClaims`, signed by this key, whose header says what is given beside. */
export function signedBy({ kid, algorithm, privateKey }: IssuerKey, header: object = { kid }): string {
  const input = [{ alg: algorithm, ...header }, goodClaims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

export interface Issuer extends AsyncDisposable {
  readonly url: string;
  /** Questions until now. */
  asked: number;
  /** What it answers; undefined: nothing, the connection breaks. */
  answer: { readonly status?: number; readonly text: string } | undefined | 'silence';
  publish(...keys: readonly (IssuerKey | JsonWebKey)[]): void;
}

export async function startIssuer(...keys: readonly IssuerKey[]): Promise<Issuer> {
  const upstream = await startUpstream((request, response) => {
    issuer.asked += 1;
    const { answer } = issuer;
    if (answer === 'silence') return;
    if (!answer) request.socket.destroy();
    else response.writeHead(answer.status ?? 200, { Location: '/elsewhere' }).end(answer.text);
  });
  const issuer: Issuer = {
    url: `${upstream.url}/jwks.json`,
    asked: 0,
    answer: undefined,
    publish(...published) {
      const all = published.map((key) => ('jwk' in key ? key.jwk : key));
      issuer.answer = { text: JSON.stringify({ keys: all }) };
    },
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  };
  issuer.publish(...keys);
  return issuer;
}
