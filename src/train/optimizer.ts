/**
 * Adam's settings and learning-rate schedules: what changes from step to step, as numbers for the backend's `adamw` op.
 * Refuses to know: weights and gradients.
 */
import { cos, pow } from '../base/math.js';

export interface AdamSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
}

/** Both fall from 1 at step 0 towards 0 at step `steps`, which is never reached. */
export type Schedule = 'linear' | 'cosine';

/** The share of the full learning rate at a step, counted from 0. */
export function scheduleAt(schedule: Schedule, step: number, steps: number): number {
  switch (schedule) {
    case 'linear':
      return 1 - step / steps;
    case 'cosine':
      return 0.5 * (1 + cos((Math.PI * step) / steps));
  }
}

/** [learning rate, β1, β2, ε, weight decay, 1 − β1^t, 1 − β2^t] with t = step + 1, as the `adamw` op wants them. */
export function adamHyper(adam: AdamSettings, learningRate: number, step: number): Float64Array {
  const { beta1, beta2, eps, weightDecay } = adam;
  const t = step + 1;
  return Float64Array.of(learningRate, beta1, beta2, eps, weightDecay, 1 - pow(beta1, t), 1 - pow(beta2, t));
}
