/**
 * Softmax and cross-entropy as plain f64 loops.
 */
import { exp, log } from '../../base/math.js';

/** losses[r] = −ln p of the target, in nats; loss = Σ weights[r]·losses[r]. */
export function crossEntropy(
  V: number,
  logits: Float64Array, // [R,V]
  targets: Int32Array, // [R]
  weights: Float64Array, // [R]
  probs: Float64Array, // [R,V]
  losses: Float64Array, // [R]
  loss: Float64Array, // [1]
): void {
  loss[0] = 0;
  for (let r = 0; r < losses.length; r++) {
    const row = r * V;
    let largest = Number.NEGATIVE_INFINITY;
    for (let v = 0; v < V; v++) largest = Math.max(largest, logits[row + v]);
    let sum = 0;
    for (let v = 0; v < V; v++) {
      probs[row + v] = exp(logits[row + v] - largest);
      sum += probs[row + v];
    }
    for (let v = 0; v < V; v++) probs[row + v] /= sum;
    // −log p without computing p: exact also where p underflows
    losses[r] = log(sum) - (logits[row + targets[r]] - largest);
    loss[0] += weights[r] * losses[r];
  }
}

/** dLogits += weights[r]·(probs − one-hot of the target). */
export function crossEntropyBackward(
  V: number,
  probs: Float64Array, // [R,V]
  targets: Int32Array, // [R]
  weights: Float64Array, // [R]
  dLogits: Float64Array, // [R,V]
): void {
  for (let r = 0; r < targets.length; r++) {
    for (let v = 0; v < V; v++) dLogits[r * V + v] += weights[r] * probs[r * V + v];
    dLogits[r * V + targets[r]] -= weights[r];
  }
}
