/**
 * Which numbers dropout keeps: a pure function of (seed, step, part of the batch, place in the model, element), so that there is no
 * random state to save, and every backend, any number of threads and any machine drop the same ones.
 * Refuses to know: tensors and models. Keys come from Threefry; an element is decided by two rounds of a 32-bit integer hash (Wellons'
 * "lowbias32", 2018, found by search for low bias), which four lanes compute at once. kernels/dropout.ts does the same.
 */
import { threefry } from './counter-random.js';

export type DropoutKey = readonly [number, number];

/** The stream of the counter generator that belongs to dropout (counter-random.ts). */
const STREAM = 0xd209;

/** The key of a training step, counted from 0. */
export function dropoutKey(seed: number | bigint, step: number): DropoutKey {
  const s = BigInt.asUintN(64, BigInt(seed));
  const [key0, key1] = threefry(Number(s & 0xffffffffn), Number(s >> 32n), STREAM, 0x9e3779b9);
  return threefry(key0, key1, step, 0);
}

/** The key of one part of a step's batch, counted from 0: parts drop independently of each other. */
export function partKey([key0, key1]: DropoutKey, part: number): DropoutKey {
  return threefry(key0, key1, part, 1);
}

/** The key of one place in the model. */
export function placeKey([key0, key1]: DropoutKey, place: number): DropoutKey {
  return threefry(key0, key1, place, 2);
}

/** Hashes below this drop: rate·2³². */
export function dropThreshold(rate: number): number {
  return Math.min(2 ** 32 - 1, Math.round(rate * 2 ** 32));
}

/** Whether element i is kept, with the key of its place. */
export function keeps([key0, key1]: DropoutKey, threshold: number, i: number): boolean {
  return mix(mix(i ^ key0) ^ key1) >>> 0 >= threshold;
}

function mix(x: number): number {
  let h = x;
  h ^= h >>> 16;
  h = Math.imul(h, 0x7feb352d);
  h ^= h >>> 15;
  h = Math.imul(h, 0x846ca68b);
  return h ^ (h >>> 16);
}
