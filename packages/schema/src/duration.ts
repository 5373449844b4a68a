const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `500ms`, `10s`, `5m`, `1h`, `30d` as milliseconds; undefined where `text` is none of these. */
export function parseDurationMs(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return Number(digits) * unitsMs[unit as keyof typeof unitsMs];
}
