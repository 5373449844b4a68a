import { expect, test } from 'vitest';
import { type FieldKind, kindOf } from './field-kind.ts';

test.each<[name: string, kind: FieldKind]>([
  ['Transfer-Encoding', 'hop'],
  ['Content-Length', 'framing'],
  ['X-Forwarded-For', 'proxy'],
  ['FORWARDED', 'proxy'],
  ['x-real-ip', 'proxy'],
  ['X_Forwarded_For', 'forged'], // even a trusted proxy may have passed it on unread
  ['x_real_ip', 'forged'],
  ['X-Client-IP', 'forged'],
  ['x-reg-subject', 'ours'],
  ['X_REG_ROLES', 'ours'],
  ['X-Request-Id', 'ours'],
  ['X-Registered', 'plain'],
  ['X-Real-IP-Address', 'plain'],
  ['Authorization', 'plain'],
  ['constructor', 'plain'],
  ['', 'plain'],
])('%s is %s, asked once or twice', (name, kind) => {
  expect([kindOf(name), kindOf(name)]).toEqual([kind, kind]);
});
