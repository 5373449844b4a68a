// docs/policy.schema.json is made from the schema that reads policy files, so that editors and the registrar agree.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { policyJsonSchema } from '@reg/registrar';
import { expect, test } from 'vitest';

const file = fileURLToPath(new URL('../docs/policy.schema.json', import.meta.url));

test('docs/policy.schema.json is what the schema says (REG_WRITE=1 writes it anew)', () => {
  const text = `${JSON.stringify(policyJsonSchema(), undefined, 2)}\n`;
  if (process.env.REG_WRITE) writeFileSync(file, text);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('it knows every field, and refuses one that nobody knows', () => {
  const schema = policyJsonSchema() as { properties: object; additionalProperties: boolean };
  expect(Object.keys(schema.properties)).toEqual(
    expect.arrayContaining([
      'name',
      'url',
      'endpoints',
      'authorizedRoles',
      'checks',
      'scaling',
      'runs',
      'on',
      'fallback',
    ]),
  );
  expect(schema.additionalProperties).toBe(false);
});
