/**
 * Logits → probabilities → one id. Two ways to draw: by counter (the default; each draw depends on its place alone), and as Python's
 * random.choices draws from one running stream.
 * Refuses to know: text and models. Invariant: an id that is drawn has a probability above 0.
 */

import { createCounterRandom } from '../base/counter-random.js';
import { MicrogptError } from '../base/errors.js';
import { exp } from '../base/math.js';
import type { PythonRandom } from '../base/python-random.js';

/** Chooses an id by its probability, for one position of one sample. The probabilities may be overwritten afterwards. */
export type Draw = (probabilities: Float64Array, sample: number, position: number) => number;

const GENERATION_STREAM = 1;

/**
 * softmax(logits / temperature) [V]. Temperature 0, or one so small that the quotient overflows, is greedy: all of it on the largest logit, on the lowest id where several are largest.
 * Takes the V logits from `from` on; `out` is where the result goes.
 * @throws MG_GEN_NONFINITE when the logits are not numbers to choose by.
 */
export function probabilities(
  logits: ArrayLike<number>,
  temperature: number,
  out: Float64Array = new Float64Array(logits.length),
  from = 0,
): Float64Array {
  const V = out.length;
  let best = 0;
  let top = logits[from];
  for (let i = 0; i < V; i++) {
    const logit = logits[from + i];
    if (!(logit < Number.POSITIVE_INFINITY)) {
      throw new MicrogptError(
        'MG_GEN_NONFINITE',
        `the logit of token ${i} is ${logit}`,
        'this model is damaged or diverged in training: train it again with a lower --lr',
      );
    }
    if (logit > top) {
      top = logit;
      best = i;
    }
  }
  const largest = top / temperature;
  if (!Number.isFinite(largest)) {
    out.fill(0);
    out[best] = 1;
    return out;
  }
  let sum = 0;
  for (let i = 0; i < V; i++) {
    const weight = exp(logits[from + i] / temperature - largest);
    out[i] = weight;
    sum += weight;
  }
  for (let i = 0; i < V; i++) out[i] /= sum;
  return out;
}

/** Draws that are a pure function of (seed, sample, position). */
export function counterDraw(seed: number | bigint): Draw {
  const random = createCounterRandom(seed, GENERATION_STREAM);
  return (weights, sample, position) => {
    const u = random.uniform(sample, position);
    let cumulative = 0;
    let last = 0;
    for (let i = 0; i < weights.length; i++) {
      if (weights[i] === 0) continue;
      cumulative += weights[i];
      last = i;
      if (u < cumulative) return i;
    }
    return last; // the sum came out a little below 1
  };
}

/** Draws from a stream of Python's random numbers, which each draw moves on. */
export function pythonDraw(random: PythonRandom): Draw {
  return (weights) => random.choice(weights);
}
