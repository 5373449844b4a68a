// What a reader has seen: `epoch.revision`. It is the event id of the change stream.

export interface Position {
  readonly epoch: string;
  readonly revision: number;
}

export function formatPosition({ epoch, revision }: Position): string {
  return `${epoch}.${revision}`;
}

/** @returns undefined where `text` is no position: the caller answers with its own error */
export function parsePosition(text: string): Position | undefined {
  const [, epoch, digits] = /^([a-z0-9]{1,32})\.(0|[1-9][0-9]{0,15})$/.exec(text) ?? [];
  const revision = Number(digits);
  if (epoch === undefined || !Number.isSafeInteger(revision)) return undefined;
  return { epoch, revision };
}
