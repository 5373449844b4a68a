/** One that was asked for and is not there yet. */
export interface Pending {
  readonly askedAt: number;
  /** As its source will name it; undefined: who was asked gives it a name. */
  readonly instance?: string | undefined;
}

type All = readonly Pending[];

/** Without those whose name is there. */
export function stillPending(pending: All, there: ReadonlySet<string | undefined>): All {
  return pending.filter(({ instance }) => instance === undefined || !there.has(instance));
}

/** The first that has no name yet gets this one. */
export function withName(pending: All, instance: string | undefined): All {
  const index = pending.findIndex((one) => one.instance === undefined);
  return pending.map((one, at) => (at === index ? { ...one, instance } : one));
}

/** The last with this name, or without one, is not waited for. */
export function withoutLast(pending: All, instance: string | undefined): All {
  const index = pending.findLastIndex((one) => one.instance === instance);
  return pending.filter((_, at) => at !== index);
}
