// For tests: a registry's token, and tokens of any shape signed with it, also those that no library would sign.
import { createHmac, createSecretKey, type KeyObject, randomUUID } from 'node:crypto';

export const operatorToken = 'the token of the operator, longer than 32 bytes';
export const credentials = { token: createSecretKey(operatorToken, 'utf8') };

export const inAnHour = () => Math.floor(Date.now() / 1_000) + 3_600;

/** With these claims over good ones. */
export function signed(
  claims: object = {},
  header: object = { alg: 'HS256', typ: 'JWT' },
  key: KeyObject = credentials.token,
): string {
  const good = { aud: 'reg-registry', jti: randomUUID(), exp: inAnHour() };
  return signedText(JSON.stringify({ ...good, ...claims }), header, key);
}

/** With the very text that is given. */
export function signedText(
  payload: string,
  header: object = { alg: 'HS256' },
  key: KeyObject = credentials.token,
): string {
  const input = [JSON.stringify(header), payload]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
}
