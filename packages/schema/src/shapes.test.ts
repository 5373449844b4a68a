// One schema, many views of it: these types must stay inferred from `registration`, and the plain ones
// that clients get must be the same types. They are checked when this file is type-checked; the
// test below holds the written file against a dependency on zod.
import { readFileSync } from 'node:fs';
import type * as Plain from '@reg/schema/shapes';
import { expect, expectTypeOf, test } from 'vitest';
import type * as z from 'zod';
import type { Body } from './contract.ts';
import type { Instance } from './instance.ts';
import type { registration } from './registration.ts';
import type * as Inferred from './shapes.ts';

type Registration = z.infer<typeof registration>;
type NameAndId = 'name' | 'instanceId';
type SharedByAll = 'url' | 'authorizedRoles' | 'access';
type SaidAtTheDoor = 'redefine' | 'generation' | 'lease';

test('body, argument and record are inferred from the one registration schema', () => {
  expectTypeOf<Omit<Body<'register'>, NameAndId>>().toEqualTypeOf<Omit<Registration, NameAndId>>();
  expectTypeOf<Plain.Registration>().toEqualTypeOf<Registration>();
  type Kept = Omit<Registration, NameAndId | SharedByAll | SaidAtTheDoor>;
  expectTypeOf<Pick<Instance, keyof Kept>>().toEqualTypeOf<Kept>();
  expectTypeOf<Pick<Inferred.ServiceDefinition, 'url' | 'authorizedRoles'>>().toEqualTypeOf<
    Pick<Registration, 'url' | 'authorizedRoles'>
  >();
});

test('the plain types are the inferred ones', () => {
  expectTypeOf<Plain.Change>().toEqualTypeOf<Inferred.Change>();
  expectTypeOf<Plain.ChangeSet>().toEqualTypeOf<Inferred.ChangeSet>();
  expectTypeOf<Plain.Snapshot>().toEqualTypeOf<Inferred.Snapshot>();
  expectTypeOf<Plain.ServiceList>().toEqualTypeOf<Inferred.ServiceList>();
  expectTypeOf<Plain.ServiceListing>().toEqualTypeOf<Inferred.ServiceListing>();
  expectTypeOf<Plain.RegistrationBody>().toEqualTypeOf<Inferred.RegistrationBody>();
  expectTypeOf<Plain.RegisterReply>().toEqualTypeOf<Inferred.RegisterReply>();
});

test('the plain types name no other module', () => {
  const written = readFileSync(new URL('../dist/shapes.d.ts', import.meta.url), 'utf8');
  expect(written).toContain('export type Registration = {');
  expect(written).not.toMatch(/\bimport\b|: any\b|\bz\.[A-Z]/);
});
