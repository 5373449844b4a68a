/** What went wrong, in words. */
export function errorText(cause: unknown): string {
  return withoutCommand(cause instanceof Error ? cause.message : String(cause));
}

/** Where a right lacks, the server repeats the whole command: documents, sessions, what the cluster signed. */
function withoutCommand(text: string): string {
  return text.replace(/(?<= to execute command )\{ "?(\w+).*$/s, '$1');
}
