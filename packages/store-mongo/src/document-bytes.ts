// A document out of its bytes. Whatever people and other programs put into it is judged one document at a time, and
// ends neither a stream nor a start.
import { mongo } from 'mongoose';
import { errorText } from './error-text.ts';

type RawDocument = Readonly<Record<string, unknown>>;

/** Where a document cannot be read, and why. */
interface Unreadable {
  readonly path: string;
  readonly message: string;
}

const unreadable = Symbol('unreadable');

/** For the driver too. Patterns stay text: what other languages know of them, JavaScript may not. */
export const lenient = { bsonRegExp: true } as const;

/** @returns without what the library cannot read; `faultOfBytes` tells of it */
export function readDocumentBytes(bytes: Uint8Array): RawDocument {
  try {
    return parse(bytes);
  } catch {
    return readElements(bytes);
  }
}

/** Why the document cannot be read whole, if so. */
export function faultOfBytes(document: object): Unreadable | undefined {
  return (document as { [unreadable]?: Unreadable })[unreadable];
}

const parse = (bytes: Uint8Array): RawDocument =>
  mongo.BSON.deserialize(bytes, { ...lenient, validation: { utf8: false } });

const embedded = 3;

/** One after the other, so that those that can be read are known. https://bsonspec.org/spec.html */
function readElements(bytes: Uint8Array): RawDocument {
  const entries: (readonly [string | symbol, unknown])[] = [];
  for (const [type, nameOffset, nameLength, offset, length] of mongo.BSON.onDemand.parseToElements(bytes)) {
    const name = Buffer.from(bytes.subarray(nameOffset, nameOffset + nameLength)).toString();
    try {
      const [entry] = Object.entries(parse(asDocument(bytes.subarray(nameOffset - 1, offset + length))));
      if (entry) entries.push(entry);
    } catch (cause) {
      const value = bytes.subarray(offset, offset + length);
      const read = type === embedded ? readElements(value) : Buffer.from(value);
      const within = faultOfBytes(read);
      const path = within ? `${name}.${within.path}` : name;
      const message = within?.message ?? `cannot be read: ${errorText(cause)}`;
      entries.push([name, read], [unreadable, { path, message }]);
    }
  }
  return Object.fromEntries(entries);
}

function asDocument(element: Uint8Array): Uint8Array {
  const document = Buffer.alloc(element.length + 5);
  document.writeInt32LE(document.length);
  document.set(element, 4);
  return document;
}
