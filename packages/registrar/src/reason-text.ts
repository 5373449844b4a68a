/**
 * A reason as the registry takes it: what a program printed may hold anything, and one that is refused would leave a
 * failing instance listed.
 */
export function reasonText(text: string, maxCharacters: number): string {
  const plain = text.replace(/[\p{Cc}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]+/gu, ' ').trim();
  return (
    plain
      .slice(0, maxCharacters)
      .replace(/\p{Cs}$/u, '')
      .trim() || 'no reason was given'
  );
}
