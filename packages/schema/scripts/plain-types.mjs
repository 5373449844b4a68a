// Writes every exported type of src/shapes.ts out as plain TypeScript into dist/shapes.d.ts, with the
// fields' comments: who needs only the types then needs no zod. Run by the build, after tsup.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { config } = ts.readConfigFile(here('../tsconfig.json'), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, here('..'));
const program = ts.createProgram([here('../src/shapes.ts')], options);
const checker = program.getTypeChecker();
const source = program.getSourceFile(here('../src/shapes.ts'));
const primitive =
  ts.TypeFlags.String |
  ts.TypeFlags.Number |
  ts.TypeFlags.Boolean |
  ts.TypeFlags.Null |
  ts.TypeFlags.Undefined |
  ts.TypeFlags.StringLiteral |
  ts.TypeFlags.NumberLiteral |
  ts.TypeFlags.BooleanLiteral;

/** Types without a plain spelling stop the build: they would name zod in somebody's editor. */
function print(type, indent) {
  if (type.flags & primitive) return checker.typeToString(type);
  if (type.isUnion()) return printUnion(type, indent);
  if (checker.isArrayType(type)) {
    const item = print(checker.getTypeArguments(type)[0], indent);
    return /[|\n]/.test(item) ? `Array<${item}>` : `${item}[]`;
  }
  const index = checker.getIndexTypeOfType(type, ts.IndexKind.String);
  if (index) return `Record<string, ${print(index, indent)}>`;
  if (type.flags & ts.TypeFlags.Object && type.getCallSignatures().length === 0)
    return printObject(type, indent);
  throw new Error(`no plain spelling for ${checker.typeToString(type)}`);
}

function printUnion(type, indent) {
  const isBoolean = (one) => one.flags & ts.TypeFlags.BooleanLiteral;
  const members = type.types.filter((one) => !isBoolean(one)).map((one) => print(one, indent));
  const booleans = type.types.filter(isBoolean).map((one) => checker.typeToString(one)); // both: `boolean`
  return [...members, ...(booleans.length === 2 ? ['boolean'] : booleans)].join(' | ');
}

function printObject(type, indent) {
  const lines = checker.getPropertiesOfType(type).map((property) => {
    const optional = property.flags & ts.SymbolFlags.Optional ? '?' : '';
    const value = print(checker.getTypeOfSymbol(property), `${indent}  `);
    const comment = comments(property)
      .map((line) => `${indent}  ${line}\n`)
      .join('');
    return `${comment}${indent}  ${property.name}${optional}: ${value};\n`;
  });
  return lines.length === 0 ? 'Record<never, never>' : `{\n${lines.join('')}${indent}}`;
}

/** A comment as it stands in the source: the first one above the field's declaration. */
function comments(symbol) {
  const declaration = symbol.declarations?.[0];
  if (!declaration) return [];
  const text = declaration.getSourceFile().getFullText();
  const ranges = ts.getLeadingCommentRanges(text, declaration.getFullStart()) ?? [];
  return ranges
    .map(({ pos, end }) => text.slice(pos, end).replace(/\n\s+\*/g, '\n *'))
    .filter((one) => one.startsWith('/**'));
}

const declarations = checker.getExportsOfModule(checker.getSymbolAtLocation(source)).map((symbol) => {
  const type = checker.getDeclaredTypeOfSymbol(
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol,
  );
  return `export type ${symbol.name} = ${print(type, '')};\n`;
});
writeFileSync(here('../dist/shapes.d.ts'), declarations.join('\n'));
