// What a hand edit left unsaid is written down, by whichever registry is first, and what crossed another write is put
// right. One after the other, as it came: a path is given up before another service has it.
import { canonicalPath, type View } from '@reg/registry';
import { type ServiceDefinition, slug } from '@reg/schema';
import type { Database } from './database.ts';
import { healing, type Meaning } from './interpreter.ts';
import type { Mirror } from './mirror.ts';

export interface HealerOptions {
  readonly database: Pick<Database, 'mend'>;
  readonly mirror: Pick<Mirror, 'definitionWrite'>;
  readonly view: View;
  readonly nextWrite: () => string;
  readonly now: () => number;
  /** What the database says. */
  readonly onFault: (cause: unknown) => void;
}

type Left = Pick<Meaning, 'undefinedServices' | 'leftDefinitions' | 'leftBehind'>;

export interface Healer {
  /** Resolves once it was tried, after all that came before. */
  heal(meaning: Left): Promise<void>;
}

export function createHealer({ database, mirror, view, nextWrite, now, onFault }: HealerOptions): Healer {
  let underWay: Promise<void> = Promise.resolve();

  async function remove(name: string): Promise<void> {
    const before = mirror.definitionWrite(name);
    if (before === undefined || view.services.has(name)) return; // gone, or back, since
    await database.mend({ kind: 'delete-definition', name, before });
  }

  /** As it is by now. */
  async function writeDown(_id: string): Promise<void> {
    const definition = view.services.get(_id)?.definition;
    if (!definition) return;
    const { name, ...rest } = definition;
    const write = `${healing}${nextWrite()}`;
    const document = { _id, ...rest, path: canonicalPath(rest.url), slug: slug(name), write, at: now() };
    const before = mirror.definitionWrite(_id);
    await database.mend(
      before === undefined
        ? { kind: 'insert-definition', document }
        : { kind: 'replace-definition', before, document },
    );
  }

  async function share(former: ServiceDefinition): Promise<void> {
    const definition = view.services.get(former.name)?.definition;
    if (definition) await database.mend({ kind: 'share', definition, former });
  }

  return {
    heal({ undefinedServices, leftDefinitions, leftBehind }) {
      if (undefinedServices.length + leftDefinitions.length + leftBehind.length === 0) return underWay;
      underWay = underWay
        .then(async () => {
          for (const name of leftDefinitions) await remove(name);
          for (const { name } of undefinedServices) await writeDown(name);
          for (const former of leftBehind) await share(former);
        })
        .catch(onFault);
      return underWay;
    },
  };
}
