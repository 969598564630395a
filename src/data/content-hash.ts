/**
 * A fixed hash of a text's content: equal texts have equal hashes on every machine and in every version. It decides what is held out and
 * finds duplicates; it is no protection against anybody. Two 32-bit lanes with multiplicative mixing (after bryc's cyrb53).
 * Invariant: a whole number of 53 bits, spread evenly; never change it, or old runs would validate on what they were trained on.
 */

export const HASH_RANGE = 2 ** 53;

export interface ContentHash {
  add(text: string): void;
  /** Something that no text holds, to keep parts apart. */
  mark(kind: number): void;
  /** The hash of what was added since the last take. */
  take(): number;
}

const START_1 = 0xdeadbeef | 0;
const START_2 = 0x41c6ce57;

export function createContentHash(): ContentHash {
  let h1 = START_1;
  let h2 = START_2;
  const mix = (unit: number) => {
    h1 = Math.imul(h1 ^ unit, 0x9e3779b1);
    h2 = Math.imul(h2 ^ unit, 0x5f356495);
  };
  return {
    add(text) {
      let a = h1;
      let b = h2;
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        a = Math.imul(a ^ unit, 0x9e3779b1);
        b = Math.imul(b ^ unit, 0x5f356495);
      }
      h1 = a;
      h2 = b;
    },
    mark: (kind) => mix(0x110000 + kind),
    take() {
      const hash = finish(h1, h2);
      h1 = START_1;
      h2 = START_2;
      return hash;
    },
  };
}

/** A hash for something that is only numbered. */
export function hashOfNumber(n: number): number {
  return finish(Math.imul((n | 0) ^ START_1, 0x9e3779b1), Math.imul(Math.floor(n / 2 ** 32) ^ n ^ START_2, 0x5f356495));
}

function finish(h1: number, h2: number): number {
  let a = Math.imul(h1 ^ (h1 >>> 16), 0x85ebca6b) ^ Math.imul(h2 ^ (h2 >>> 13), 0xc2b2ae35);
  let b = Math.imul(h2 ^ (h2 >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  a = Math.imul(a ^ (a >>> 15), 0x2c1b3c6d);
  a ^= a >>> 16;
  b ^= b >>> 16;
  return (a & 0x1fffff) * 2 ** 32 + (b >>> 0);
}
