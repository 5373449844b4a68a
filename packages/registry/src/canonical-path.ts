/**
 * Two spellings of one public path are one path: what needs no percent-encoding has none, the rest in
 * capitals (RFC 3986 §6.2.2). So `/%5Freg` is `/_reg`, and reserved. Letters keep their case.
 */
export function canonicalPath(path: string): string {
  if (!path.includes('%')) return path;
  return path.replace(/%[0-9A-Fa-f]{2}/g, (octet) => {
    const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : octet.toUpperCase();
  });
}
