// docs/openapi.json is the contract, written down. `REG_WRITE=1` writes it anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { contract, openapi, operations } from '@reg/schema';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';

const path = fileURLToPath(new URL('../docs/openapi.json', import.meta.url));

test('docs/openapi.json is fresh', () => {
  const fresh = `${JSON.stringify(openapi(), undefined, 2)}\n`;
  if (process.env.REG_WRITE) writeFileSync(path, fresh);
  expect(readFileSync(path, 'utf8') === fresh, 'write it anew: see CONTRIBUTING.md').toBe(true);
});

test('it is valid OpenAPI 3.1, and every reference in it leads somewhere', async () => {
  const document = JSON.parse(JSON.stringify(openapi()));
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
  const { schemas } = openapi().components;
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(([, to]) => to);
  const known = Object.keys(schemas).map((id) => `#/components/schemas/${id}`);
  expect(references.filter((to) => !known.includes(to ?? ''))).toEqual([]);
});

test('every operation is in it, with each parameter of its path and each code it may answer', () => {
  const { paths } = openapi();
  for (const [name, { method, path: template, codes }] of Object.entries(operations)) {
    const operation = paths[template]?.[method.toLowerCase()];
    expect(operation).toMatchObject({ operationId: name });
    for (const [, parameter] of template.matchAll(/\{(\w+)\}/g))
      expect(operation?.parameters).toContainEqual(
        expect.objectContaining({ name: parameter, in: 'path', required: true }),
      );
    for (const code of codes)
      expect(JSON.stringify(operation?.responses), `${name}: ${code}`).toContain(code);
    expect('requestBody' in (operation ?? {})).toBe('body' in contract[name as keyof typeof contract]);
  }
});

test('what is sent is described as it is sent: text and digits, not what the registry makes of them', () => {
  const drain = openapi().paths[operations.drain.path]?.put;
  expect(drain?.parameters).toContainEqual(
    expect.objectContaining({
      name: 'wait',
      schema: { type: 'string', description: 'a duration up to 60s, like 500ms or 5s' },
    }),
  );
  expect(drain?.parameters).toContainEqual(
    expect.objectContaining({ name: 'generation', schema: { type: 'number' } }),
  );
});
