// JSON.parse, and then what it lets through: names given twice (RFC 8259 §4 leaves open which one
// counts, so two readers may read two things), names that reach a prototype, and endless nesting.
import { type FieldFault, regError } from '@reg/schema';

/** Arrays and objects inside each other. Ours need five. */
const maxDepth = 32;

const prototypeNames = new Set(['__proto__', 'constructor', 'prototype']);

/** @throws `invalid_json`, naming the field where there is one */
export function parseJson(text: string): unknown {
  const value = parsed(text);
  const fault = findFault(text);
  if (fault) throw regError('invalid_json', `${fault.field} ${fault.message}`, { errors: [fault] });
  return value;
}

function parsed(text: string): unknown {
  if (text === '') throw regError('invalid_json', 'the body is empty');
  if (text.startsWith('\ufeff')) {
    throw regError('invalid_json', 'the body begins with a byte order mark (RFC 8259 §8.1)');
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw regError('invalid_json', cause instanceof Error ? cause.message : 'no JSON', { cause });
  }
}

interface Level {
  /** Names seen in an object; undefined in an array. */
  readonly names: Set<string> | undefined;
  /** Where we are in it: a name or an index. */
  at: string | number;
  expectsName: boolean;
}

/** One pass over text that is known to be JSON, so only brackets, commas and strings matter. */
function findFault(text: string): FieldFault | undefined {
  const levels: Level[] = [];
  for (let index = 0; index < text.length; index++) {
    const level = levels.at(-1);
    switch (text[index]) {
      case '{':
      case '[': {
        if (levels.length === maxDepth)
          return { field: fieldOf(levels), message: `is nested deeper than ${maxDepth}` };
        const isObject = text[index] === '{';
        levels.push({ names: isObject ? new Set() : undefined, at: 0, expectsName: isObject });
        break;
      }
      case '}':
      case ']':
        levels.pop();
        break;
      case ',':
        if (level?.names) level.expectsName = true;
        else if (level) level.at = Number(level.at) + 1;
        break;
      case '"': {
        const end = endOfString(text, index);
        if (level?.names && level.expectsName) {
          const message = takeName(level, level.names, JSON.parse(text.slice(index, end + 1)));
          if (message) return { field: fieldOf(levels), message };
        }
        index = end;
      }
    }
  }
  return undefined;
}

/** @returns what is wrong with this name */
function takeName(level: Level, names: Set<string>, name: string): string | undefined {
  level.at = name;
  level.expectsName = false;
  if (prototypeNames.has(name)) return 'is not allowed as a name';
  if (names.has(name)) return 'is named twice';
  names.add(name);
  return undefined;
}

function endOfString(text: string, start: number): number {
  let end = start + 1;
  while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return end;
}

/** A name may be as long as the body; the reply is not. */
function fieldOf(levels: readonly Level[]): string {
  return levels
    .map(({ at }) => at)
    .join('.')
    .slice(0, 200);
}
