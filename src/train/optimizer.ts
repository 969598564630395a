/**
 * Adam's settings, as numbers for the backend's `adamw` op. Weight decay is decoupled (AdamW) and falls on all parameters alike, biases and
 * embeddings included.
 * Refuses to know: weights and gradients.
 */
import { pow } from '../base/math.js';

/** The numbers of AdamW. */
export interface AdamSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
}

/** [learning rate, β1, β2, ε, weight decay, 1 − β1^t, 1 − β2^t] with t = step + 1, as the `adamw` op wants them. */
export function adamHyper(adam: AdamSettings, learningRate: number, step: number): Float64Array {
  const { beta1, beta2, eps, weightDecay } = adam;
  const t = step + 1;
  return Float64Array.of(learningRate, beta1, beta2, eps, weightDecay, 1 - pow(beta1, t), 1 - pow(beta2, t));
}
