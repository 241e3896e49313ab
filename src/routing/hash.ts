/** 2^32 divided by the golden ratio, odd: apart from 0, what small numbers are told apart by best. */
const GOLDEN = 0x9e3779b9;

/** Every bit of the result depends on every bit of `value` (the finish of MurmurHash3 for 32 bits). */
export function mix32(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * 32 bits of a text, evenly spread (FNV-1a over UTF-16 units, then mixed); not for secrets. The same in every process:
 * all replicas have to choose alike. Other seeds give values that have nothing to do with each other.
 */
export function hash32(text: string, seed = 0): number {
  let h = 0x811c9dc5 ^ mix32(seed + GOLDEN);
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix32(h);
}
