/** On every answer. @param requestId fresh, never the caller's, who could pass off one as another */
export function commonHeaders(requestId: string): Record<string, string | number> {
  return { 'X-Request-Id': requestId, 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-cache' };
}
