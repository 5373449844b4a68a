/** One line per request; never a body, a query or a header. */
export interface AccessLine {
  readonly kind: 'access';
  readonly requestId: string;
  /** Empty where the request could not be read. */
  readonly method: string;
  /** As it was sent, percent-encoded, without its query. */
  readonly path: string;
  /** 0: the caller left before an answer began. */
  readonly status: number;
  /** Milliseconds until the answer ended. */
  readonly ms: number;
}

/** What the caller is not told. */
export interface ErrorLine {
  readonly kind: 'error';
  readonly requestId: string;
  readonly error: unknown;
}

export type Log = (line: AccessLine | ErrorLine) => void;

/** The default: silent about requests, never about errors. */
export function logErrors(line: AccessLine | ErrorLine): void {
  if (line.kind === 'error') console.error(`registry: request ${line.requestId} failed:`, line.error);
}
