/**
 * What logits say of a token: how surprising it is, how it ranks, how surprising the least likely one would be.
 * Refuses to know: text. Invariant: surprise is −log of the softmax, in nats, computed in f64 by our own exp and log.
 */
import { MicrogptError } from '../base/errors.js';
import { exp, log } from '../base/math.js';

export const NATS_PER_BIT = log(2);

/** log Σ exp(logits). @throws MG_GEN_NONFINITE when the logits are not numbers. */
export function logSumExp(logits: ArrayLike<number>, at: number, vocabSize: number): number {
  let largest = logits[at];
  for (let i = 1; i < vocabSize; i++) if (logits[at + i] > largest) largest = logits[at + i];
  let sum = 0;
  for (let i = 0; i < vocabSize; i++) sum += exp(logits[at + i] - largest);
  const result = largest + log(sum);
  if (!Number.isFinite(result)) {
    throw new MicrogptError(
      'MG_GEN_NONFINITE',
      `the model computes logits whose sum is ${result}`,
      'this model is damaged or diverged in training: train it again with a lower --lr',
    );
  }
  return result;
}

/** −log p(token), nats. */
export function surprise(logits: ArrayLike<number>, at: number, vocabSize: number, token: number): number {
  return logSumExp(logits, at, vocabSize) - logits[at + token];
}

/** −log p of the least likely token, nats. */
export function largestSurprise(logits: ArrayLike<number>, at: number, vocabSize: number): number {
  let smallest = logits[at];
  for (let i = 1; i < vocabSize; i++) if (logits[at + i] < smallest) smallest = logits[at + i];
  return logSumExp(logits, at, vocabSize) - smallest;
}

/** How many tokens the model finds likelier; of equal ones the lowest id comes first. */
export function rank(logits: ArrayLike<number>, at: number, vocabSize: number, token: number): number {
  const own = logits[at + token];
  let before = 0;
  for (let i = 0; i < vocabSize; i++) {
    const other = logits[at + i];
    if (other > own || (other === own && i < token)) before++;
  }
  return before;
}

/** A token and how likely it is to come next. */
export interface NextToken {
  readonly id: number;
  readonly probability: number;
}

/** The k likeliest tokens; of equal ones the lowest id first. */
export function likeliest(logits: ArrayLike<number>, at: number, vocabSize: number, k: number): NextToken[] {
  const total = logSumExp(logits, at, vocabSize);
  const best: number[] = [];
  for (let i = 0; i < vocabSize; i++) {
    if (best.length === k && !(logits[at + i] > logits[at + best[k - 1]])) continue;
    let place = best.length;
    while (place > 0 && logits[at + i] > logits[at + best[place - 1]]) place--;
    best.splice(place, 0, i);
    if (best.length > k) best.pop();
  }
  return best.map((id) => ({ id, probability: exp(logits[at + id] - total) }));
}
