/** Random numbers that depend on a seed and a name alone: the same weight is filled alike whatever is around it. */

/** Spreads the bits of a 32-bit number over all its places: the last step of MurmurHash3. */
function mixed(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** FNV-1a over the text's UTF-16 units. */
function hashed(text: string, offset: number): number {
  let h = offset;
  for (let at = 0; at < text.length; at++) h = Math.imul(h ^ text.charCodeAt(at), 0x01000193);
  return mixed(h);
}

/** Uniform in [0, 1) with 24 random bits, as float32 holds them: Chris Doty-Humphrey's sfc32, of period 2¹²⁸ at most. */
export function uniformFrom(seed: number, name: string): () => number {
  let [a, b, c] = [hashed(name, 0x811c9dc5), hashed(name, 0x9e3779b9), mixed(seed ^ hashed(name, 0x6a09e667))];
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  // The first results still show the seed.
  for (let round = 0; round < 12; round++) next();
  return () => (next() >>> 8) / 2 ** 24;
}

/** Normally distributed, by Box and Muller. */
export function normalFrom(seed: number, name: string): () => number {
  const uniform = uniformFrom(seed, name);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
