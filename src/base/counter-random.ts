/**
 * Chance without a memory: (seed, stream, sample, position) → bits. Nothing to save, nothing to lose, and no draw depends on another.
 * The mixing function is Threefry-2×32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
 * Invariant: a pure function of its arguments, equal on every machine.
 */

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/** 64 bits of key and 64 bits of counter → 64 well-mixed bits, as two unsigned 32-bit words. */
export function threefry(key0: number, key1: number, counter0: number, counter1: number): [number, number] {
  const keys = [key0, key1, 0x1bd11bda ^ key0 ^ key1];
  let x = (counter0 + key0) | 0;
  let y = (counter1 + key1) | 0;
  for (let round = 0; round < 20; round++) {
    const r = ROTATIONS[round % 8];
    x = (x + y) | 0;
    y = ((y << r) | (y >>> (32 - r))) ^ x;
    if (round % 4 === 3) {
      const i = (round + 1) / 4;
      x = (x + keys[i % 3]) | 0;
      y = (y + keys[(i + 1) % 3] + i) | 0;
    }
  }
  return [x >>> 0, y >>> 0];
}

export interface CounterRandom {
  /** Uniform in [0, 1) with 53 bits, for one place of one sample. */
  uniform(sample: number, position: number): number;
}

/** Streams keep different uses of one seed apart: `stream` is a small number that names the use. */
export function createCounterRandom(seed: number | bigint, stream: number): CounterRandom {
  const s = BigInt.asUintN(64, BigInt(seed));
  const [key0, key1] = threefry(Number(s & 0xffffffffn), Number(s >> 32n), stream, 0x9e3779b9);
  return {
    uniform(sample, position) {
      const [a, b] = threefry(key0, key1, sample, position);
      return ((a >>> 5) * 67108864 + (b >>> 6)) / 9007199254740992;
    },
  };
}
