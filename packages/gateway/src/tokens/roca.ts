// RSA keys of a broken chip library (ROCA, CVE-2017-15361) can be factored. Their moduli are powers of 65537
// modulo many small primes (Nemec et al., 2017, §2.3); a sound one is, by chance, once in 2^27.

const generator = 65_537;
const primes = [
  ...[3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103],
  ...[107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167],
];

const powers = primes.map((prime) => ({ prime, residues: powersModulo(prime) }));

export function isRocaModulus(bytes: Uint8Array): boolean {
  return powers.every(({ prime, residues }) =>
    residues.has(bytes.reduce((rest, byte) => (rest * 256 + byte) % prime, 0)),
  );
}

function powersModulo(prime: number): ReadonlySet<number> {
  const residues = new Set<number>();
  for (let power = 1; !residues.has(power); power = (power * generator) % prime) residues.add(power);
  return residues;
}
