/**
 * Logits → probabilities → one id. Ways to draw: by counter (the default; each draw depends on its place alone), and from one running
 * stream as the earlier programs in Python, C++ and Rust do.
 * Refuses to know: text and models; what else may shape the probabilities is in filters.ts. Invariant: an id that is drawn by counter has
 * a probability above 0.
 */

import { createCounterRandom } from '../base/counter-random.js';
import { MicrogptError } from '../base/errors.js';
import { exp } from '../base/math.js';
import type { PythonRandom } from '../base/python-random.js';
import { createXorshift64, createXorshift64Star, type Xorshift, XORSHIFT_STREAMS } from '../base/xorshift.js';

/** Chooses an id by its probability, for one position of one sample. The probabilities may be overwritten afterwards. */
export type Draw = (probabilities: Float64Array, sample: number, position: number) => number;

const GENERATION_STREAM = 1;

/** Further attempts at a sample are streams of their own: GENERATION_STREAM + attempt × this. */
const ATTEMPT_STRIDE = 0x10000;

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
    if (!(logit < Number.POSITIVE_INFINITY)) throw nonfinite(i, logit);
    if (logit > top) {
      top = logit;
      best = i;
    }
  }
  if (top === Number.NEGATIVE_INFINITY) throw nonfinite(0, top);
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

/** The error for a logit that cannot be chosen by. */
export function nonfinite(token: number, logit: number): MicrogptError {
  return new MicrogptError(
    'MG_GEN_NONFINITE',
    `the logit of token ${token} is ${logit}`,
    'this model is damaged or diverged in training: train it again with a lower --lr',
  );
}

/** Draws that are a pure function of (seed, attempt, sample, position). */
export function counterDraw(seed: number | bigint, attempt = 0): Draw {
  const random = createCounterRandom(seed, GENERATION_STREAM + attempt * ATTEMPT_STRIDE);
  return (weights, sample, position) => pick(weights, random.uniform(sample, position));
}

/** The first id whose cumulative probability is above u, of those that are possible. */
function pick(weights: Float64Array, u: number): number {
  let cumulative = 0;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue;
    cumulative += weights[i];
    last = i;
    if (u < cumulative) return i;
  }
  return last; // the sum came out a little below 1
}

/** Draws from a stream of Python's random numbers, which each draw moves on. */
export function pythonDraw(random: PythonRandom): Draw {
  return (weights) => random.choice(weights);
}

/** Draws as the byte-level trainer does: one stream for the whole run, mixed for generating. */
export function cppDraw(seed: number | bigint): Draw {
  const random = createXorshift64Star(BigInt(seed) ^ XORSHIFT_STREAMS.generation);
  return (weights) => pick(weights, random.uniform());
}

/** Draws as the Rust system does: each sample has a stream of its own, seeded with seed + sample. */
export function rustDraw(seed: number | bigint): Draw {
  let random: Xorshift | null = null;
  let current = -1;
  return (weights, sample) => {
    if (random === null || sample !== current) random = createXorshift64(BigInt(seed) + BigInt(sample));
    current = sample;
    let total = 0;
    for (let i = 0; i < weights.length; i++) total += weights[i];
    const u = random.uniform() * total;
    let cumulative = 0;
    for (let i = 0; i < weights.length; i++) {
      cumulative += weights[i];
      if (u < cumulative) return i;
    }
    return weights.length - 1;
  };
}
