/**
 * Bytes in which every torn, truncated, mixed or zeroed place shows: words that depend on the step and on their place.
 */

/** `size` bytes (a multiple of 4, at least 8) that belong to `step`. */
export function patterned(step: number, size: number): Uint8Array {
  const words = new Uint32Array(size / 4);
  words[0] = step;
  words[1] = size;
  for (let i = 2; i < words.length; i++) words[i] = wordAt(step, i);
  return new Uint8Array(words.buffer);
}

/** The step whose bytes these are, or null when they are not whole. */
export function stepOf(bytes: Uint8Array): number | null {
  if (bytes.length < 8 || bytes.length % 4 !== 0) return null;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  if (words[1] !== bytes.length) return null;
  const step = words[0];
  for (let i = 2; i < words.length; i++) if (words[i] !== wordAt(step, i)) return null;
  return step;
}

/** Never 0, which is what a hole reads as. */
const wordAt = (step: number, i: number): number =>
  (Math.imul(step, 0x9e3779b1) ^ Math.imul(i, 0x85ebca6b) ^ 1) >>> 0 || 1;
