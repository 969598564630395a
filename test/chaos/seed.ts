// One seed for the random tests of this folder: printed, and given again by MG_TEST_SEED.
import { createCounterRandom } from '../../src/base/counter-random.js';

const SEED = Number(process.env['MG_TEST_SEED'] ?? Date.now() % 2 ** 31);

/** Uniform numbers in [0, 1), a stream of its own for each test. */
export function seeded(test: string, stream: number): () => number {
  console.log(`${test}: MG_TEST_SEED=${SEED}`);
  const random = createCounterRandom(SEED, stream);
  let position = 0;
  return () => random.uniform(0, position++);
}
