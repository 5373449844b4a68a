// `--registry-token`: shown to a registry, or, as the operator's own, what a registry asks for. It is in no
// message, and so no argument that commander parses: that would repeat a wrong one.
import { InvalidArgumentError } from 'commander';
import jwt from 'jsonwebtoken';
import { keyOf } from './caller-tokens.ts';

const name = '--registry-token';

/** The header that carries it, as UTF-8 bytes. @throws InvalidArgumentError */
export function authorizationOf(token: string | undefined): { authorization?: string } {
  if (token === undefined || token.trim() === '') return {};
  refuseControls(token.trim());
  return { authorization: `Bearer ${Buffer.from(token.trim(), 'utf8').toString('latin1')}` };
}

/** The operator's own. @throws InvalidArgumentError where it is too short, or what no header can carry */
export function operatorKey(token: string): ReturnType<typeof keyOf> {
  refuseControls(token);
  if (token.trim() !== token) throw new InvalidArgumentError(`${name}: it begins or ends with white space`);
  if (jwt.decode(token) !== null) {
    throw new InvalidArgumentError(
      `${name}: the operator's own is needed, and this is a token signed with one`,
    );
  }
  return keyOf(token, name);
}

function refuseControls(token: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end the header
  if (/[\u0000-\u001f\u007f]/.test(token)) throw new InvalidArgumentError(`${name}: no header can carry it`);
}
