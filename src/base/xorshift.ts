/**
 * Chance as two earlier programs make it: xorshift64 (Marsaglia, "Xorshift RNGs", 2003) as in the Rust system, and xorshift64*
 * (Vigna, 2016) as in the byte-level trainer.
 * Refuses to know what the numbers are for. Invariant: same seed, same calls → the numbers of those programs. Both drop all but 64 bits
 * of a seed; a state of 0 would stay 0, so each puts a number of its own in its place.
 */

/** What both can do. */
export interface Xorshift {
  /** 64 random bits. */
  next(): bigint;
  /** Uniform: from 0 to 1 with both ends possible (xorshift64), or in [0, 1) with 24 bits (xorshift64*). */
  uniform(): number;
}

export interface XorshiftStar extends Xorshift {
  /** From `low` to `high`, both possible; slightly uneven, as the program's own. */
  integer(low: number, high: number): number;
}

const bits64 = (x: bigint) => BigInt.asUintN(64, x);

/** The Rust system's generator; it divides by u64::MAX, which as a double is 2^64. Small seeds give a first number close to 0. */
export function createXorshift64(seed: number | bigint): Xorshift {
  let state = bits64(BigInt(seed)) || 1n;
  function next(): bigint {
    state ^= bits64(state << 13n);
    state ^= state >> 7n;
    state ^= bits64(state << 17n);
    return state;
  }
  return { next, uniform: () => Number(next()) / 2 ** 64 };
}

/** The byte-level trainer's generator. */
export function createXorshift64Star(seed: number | bigint): XorshiftStar {
  let state = bits64(BigInt(seed)) || 0x12345678n;
  function next(): bigint {
    state ^= state >> 12n;
    state ^= bits64(state << 25n);
    state ^= state >> 27n;
    return bits64(state * 2685821657736338717n);
  }
  const word = () => Number(next() >> 32n);
  return {
    next,
    uniform: () => (word() >>> 8) / 16777216,
    integer: (low, high) => low + (word() % (high - low + 1)),
  };
}

/** What the byte-level trainer mixes into a run's seed, so that each use has a stream of its own. */
export const XORSHIFT_STREAMS = {
  training: 0xdeadbeefn,
  generation: 0xabcdef123456n,
  sanity: 0x51514e455854n,
} as const;
