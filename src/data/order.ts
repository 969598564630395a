/**
 * In which order documents come: an order says which document stands at place k of an endless sequence that goes through all of them
 * again and again. Invariant: within each epoch every document comes once; the order is a pure function of its arguments.
 */
import { createCounterRandom, threefry } from '../base/counter-random.js';
import type { PythonRandom } from '../base/python-random.js';

/** Which document stands at place k of an endless sequence. */
export type Order = (k: number) => number;

/** Uses of a training seed, kept apart: streams of the counter generator. */
const ORDER_STREAM = 0x6f726465;
const WINDOW_STREAM = 0x77696e64;

/** As they stand in the corpus. */
export function fileOrder(count: number): Order {
  return (k) => k % count;
}

/** As after Python's random.shuffle, the same in each epoch: the earlier programs' order. Draws from `random`, whose stream goes on. */
export function pythonOrder(count: number, random: PythonRandom): Order {
  const places = Array.from({ length: count }, (_, i) => i);
  random.shuffle(places);
  return (k) => places[k % count];
}

const ROUNDS = 8;

/**
 * Another permutation in each epoch, without a list in memory: a Feistel network over the numbers below a power of four, whose round
 * function is Threefry, applied until the result is below `count` (cycle walking; Black & Rogaway, 2002).
 */
export function keyedOrder(count: number, seed: number | bigint): Order {
  const s = BigInt.asUintN(64, BigInt(seed));
  const [key0, key1] = threefry(Number(s & 0xffffffffn), Number(s >> 32n), ORDER_STREAM, 0);
  let half = 1;
  while (4 ** half < count) half++;
  const mask = 2 ** half - 1;
  return (k) => {
    const epoch = Math.floor(k / count);
    let place = k - epoch * count;
    do {
      let left = Math.floor(place / (mask + 1));
      let right = place & mask;
      for (let round = 0; round < ROUNDS; round++) {
        const [bits] = threefry(key0, key1, epoch * ROUNDS + round, right);
        [left, right] = [right, (left ^ bits) & mask];
      }
      place = left * (mask + 1) + right;
    } while (place >= count);
    return place;
  };
}

/** Where window b of step s begins, of `places` places: uniform, as the byte-level trainer draws. */
export function windowStart(seed: number | bigint, places: number): (step: number, b: number) => number {
  const random = createCounterRandom(seed, WINDOW_STREAM);
  return (step, b) => Math.floor(random.uniform(step, b) * places);
}
