/**
 * A service's name in the alphabet of DNS labels and unit names (RFC 1035 §2.3.1): a-z, 0-9 and `-`,
 * 1 to 63 characters. Two names may share a slug; the registry refuses the second (`slug_taken`).
 * A name without any such character gets `service-` and a hash of it.
 */
export function slug(name: string): string {
  const words = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  if (words === '') return `service-${fnv1a(name)}`;
  if (words.length <= 63) return words;
  return `${words.slice(0, 54).replace(/-+$/, '')}-${fnv1a(name)}`; // cut names stay apart by their hash
}

/** FNV-1a, 32 bits, over UTF-16 units, as eight hex digits (draft-eastlake-fnv). */
function fnv1a(value: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < value.length; index++) {
    hash = Math.imul(hash ^ value.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, '0');
}
