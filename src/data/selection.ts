/**
 * Which documents belong to one side of a split, as a bit each, and the k-th of either side without a list of them.
 * Invariant: select(k) grows with k, and both sides together are all documents.
 */

export interface BitSet {
  set(i: number): void;
  has(i: number): boolean;
}

/** Grows with what is set in it. */
export function createBitSet(): BitSet {
  let words = new Uint32Array(64);
  return {
    set(i) {
      const word = i >>> 5;
      if (word >= words.length) {
        const larger = new Uint32Array(Math.max(2 * words.length, word + 1));
        larger.set(words);
        words = larger;
      }
      words[word] |= 1 << (i & 31);
    },
    has: (i) => i >>> 5 < words.length && ((words[i >>> 5] >>> (i & 31)) & 1) === 1,
  };
}

export interface Selection {
  readonly count: number;
  /** The k-th document that is chosen, in order, counted from 0. */
  select(k: number): number;
}

const BLOCK = 512;

/** Those of `total` documents for which `chosen` says so; it must always say the same. */
export function createSelection(total: number, chosen: (i: number) => boolean): Selection {
  const blocks = Math.ceil(total / BLOCK);
  const before = new Uint32Array(blocks + 1); // how many are chosen before each block
  for (let block = 0, n = 0; block < blocks; block++) {
    const end = Math.min(total, (block + 1) * BLOCK);
    for (let i = block * BLOCK; i < end; i++) if (chosen(i)) n++;
    before[block + 1] = n;
  }
  // Who goes on from one to the next need not count from the beginning of a block.
  let lastK = -1;
  let lastI = -1;
  const found = (k: number, i: number): number => {
    lastK = k;
    lastI = i;
    return i;
  };
  return {
    count: before[blocks],
    select(k) {
      if (k === lastK && k >= 0) return lastI;
      if (k === lastK + 1) {
        const end = Math.min(total, (Math.floor(lastI / BLOCK) + 1) * BLOCK);
        for (let i = lastI + 1; i < end; i++) if (chosen(i)) return found(k, i);
      }
      let low = 0;
      let high = blocks;
      while (high - low > 1) {
        const middle = (low + high) >>> 1;
        if (before[middle] <= k) low = middle;
        else high = middle;
      }
      let left = k - before[low];
      for (let i = low * BLOCK; ; i++) if (chosen(i) && left-- === 0) return found(k, i);
    },
  };
}
