/**
 * Chance as CPython 3 makes it: the Mersenne Twister MT19937 (Matsumoto & Nishimura, 1998) seeded with init_by_array,
 * and on top of it random(), getrandbits(), gauss(), shuffle() and choices() with the draws in CPython's order.
 * Refuses to know what the numbers are for. Invariant: same seed, same calls → same numbers as `random.seed(seed)` in Python.
 * Only gauss() can differ from Python, by one unit in the last place, where the C library rounds log, sin or cos differently.
 */
import { cos, log, sin } from './math.js';

const N = 624;
const M = 397;

export interface PythonRandom {
  /** Uniform in [0, 1) with 53 bits. */
  random(): number;
  /** An integer of `bits` random bits, 1 … 53. */
  getrandbits(bits: number): number;
  /** A uniform integer in [0, n), by rejection. */
  randbelow(n: number): number;
  /** Normal distribution; every second call returns the partner of the one before (Box & Muller, 1958). */
  gauss(mean: number, standardDeviation: number): number;
  /** Fisher–Yates from the end, in place. */
  shuffle<T>(items: T[]): void;
  /** An index drawn with the given relative weights, as `random.choices(range(n), weights)[0]` draws it. */
  choice(weights: ArrayLike<number>): number;
  /** The generator's 624 words, the position in them, and the number that gauss() keeps for its next call. */
  state(): { readonly words: Uint32Array; readonly position: number; readonly gaussNext: number | null };
}

/** The same as `random.seed(seed)` for an integer seed; like Python, ignores its sign. */
export function createPythonRandom(seed: number | bigint): PythonRandom {
  const state = new Uint32Array(N);
  let position = N;
  let gaussNext: number | null = null;
  seedByArray(state, limbs(seed));

  function next32(): number {
    if (position === N) {
      twist(state);
      position = 0;
    }
    let y = state[position++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  function random(): number {
    const a = next32() >>> 5; // 27 bits
    const b = next32() >>> 6; // 26 bits
    return (a * 67108864 + b) / 9007199254740992;
  }

  function getrandbits(bits: number): number {
    if (bits <= 32) return next32() >>> (32 - bits);
    const low = next32();
    return (next32() >>> (64 - bits)) * 4294967296 + low;
  }

  function randbelow(n: number): number {
    const bits = Math.floor(n).toString(2).length;
    let r = getrandbits(bits);
    while (r >= n) r = getrandbits(bits);
    return r;
  }

  return {
    random,
    getrandbits,
    randbelow,
    gauss(mean, standardDeviation) {
      let z = gaussNext;
      gaussNext = null;
      if (z === null) {
        const angle = random() * 2 * Math.PI;
        const radius = Math.sqrt(-2 * log(1 - random()));
        z = cos(angle) * radius;
        gaussNext = sin(angle) * radius;
      }
      return mean + z * standardDeviation;
    },
    shuffle(items) {
      for (let i = items.length - 1; i > 0; i--) {
        const j = randbelow(i + 1);
        const item = items[i];
        items[i] = items[j];
        items[j] = item;
      }
    },
    choice(weights) {
      const cumulative = new Float64Array(weights.length);
      let total = 0;
      for (let i = 0; i < weights.length; i++) {
        total += weights[i];
        cumulative[i] = total;
      }
      const x = random() * total;
      let low = 0;
      let high = weights.length - 1;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (x < cumulative[middle]) high = middle;
        else low = middle + 1;
      }
      return low;
    },
    state: () => ({ words: state.slice(), position, gaussNext }),
  };
}

/** |seed| in base 2^32, least significant first. */
function limbs(seed: number | bigint): number[] {
  let rest = BigInt(seed);
  if (rest < 0n) rest = -rest;
  const out: number[] = [];
  do {
    out.push(Number(rest & 0xffffffffn));
    rest >>= 32n;
  } while (rest > 0n);
  return out;
}

function seedByArray(state: Uint32Array, key: readonly number[]): void {
  state[0] = 19650218;
  for (let i = 1; i < N; i++) {
    const s = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = Math.imul(1812433253, s) + i;
  }
  let i = 1;
  for (let k = Math.max(N, key.length), j = 0; k > 0; k--) {
    const s = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = (state[i] ^ Math.imul(s, 1664525)) + key[j] + j;
    j = (j + 1) % key.length;
    i = advance(state, i);
  }
  for (let k = N - 1; k > 0; k--) {
    const s = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = (state[i] ^ Math.imul(s, 1566083941)) - i;
    i = advance(state, i);
  }
  state[0] = 0x80000000;
}

function advance(state: Uint32Array, i: number): number {
  if (i + 1 < N) return i + 1;
  state[0] = state[N - 1];
  return 1;
}

function twist(state: Uint32Array): void {
  for (let i = 0; i < N; i++) {
    const y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
    state[i] = state[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}
