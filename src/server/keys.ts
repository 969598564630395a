/**
 * The keys that may ask.
 * Invariant: the time that looking for a key takes depends on its length alone, never on how much of it is right: digests of 64 characters
 * are compared, each with all of the known ones, each to its end.
 */
import { sha256 } from '../base/sha256.js';

export interface Keyring {
  /** Which key it is; -1 for none. */
  find(key: string): number;
}

/** `same` compares two digests. */
export function createKeyring(keys: readonly string[], same: typeof sameDigest = sameDigest): Keyring {
  const digests = keys.map(digest);
  return {
    find(key) {
      const found = digest(key);
      let match = -1;
      for (let i = 0; i < digests.length; i++) if (same(digests[i], found)) match = i;
      return match;
    },
  };
}

/** In hexadecimal. */
const digest = (key: string): string => sha256(new TextEncoder().encode(key));

/** Of texts that are equally long; takes the same time whatever they are. */
export function sameDigest(a: string, b: string): boolean {
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
