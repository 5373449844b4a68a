import * as z from 'zod';
import { policyFile } from './policy-file.ts';

/** Of a policy file, for editors: they complete its fields and mark what is wrong while one types. */
export function policyJsonSchema(): object {
  const schema = z.toJSONSchema(policyFile, { target: 'draft-7', io: 'input', unrepresentable: 'any' });
  return { ...schema, title: 'A policy file of reg registrar' };
}
