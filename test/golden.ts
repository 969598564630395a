// Reads the recorded figures of the earlier systems in test/golden/ (see README.md there).
import { readFileSync } from 'node:fs';
import { createPythonRandom, type PythonRandom } from '../src/base/python-random.js';

const folder = new URL('./golden/', import.meta.url);

export const goldenText = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
export const goldenJson = (path: string) => JSON.parse(goldenText(path));
export const goldenLosses = (path: string): number[] => goldenText(path).trim().split('\n').map(Number);

/** The whole tier runs everything; the quick one, prefixes. */
export const FULL = process.env['MICROGPT_TEST_TIER'] === 'full';

/** All weights of a recorded model, flat, in the order of the parameter table. */
export const flat = (weights: Record<string, number[][]>): Float64Array =>
  Float64Array.from(Object.values(weights).flat(2));

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i] - b[i]));
  return worst;
}

/** The first 1,000 documents after random.seed(42); random.shuffle(docs): all that the recorded runs ever read. */
export const shuffledNames = (): string[] => goldenText('canonical/shuffled_docs_first_1000.txt').trim().split('\n');

/** Python's random numbers after the shuffle of the 32,033 names. */
export function randomAfterShuffle(): PythonRandom {
  const random = createPythonRandom(42);
  random.shuffle(new Array(32_033).fill(0));
  return random;
}
