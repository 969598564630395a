/**
 * What can learn, as the training loop sees it: one step, one evaluation, and questions about its health.
 * Refuses to know: how a step is computed, and where. src/engine/ has the implementations.
 */
import type { DropoutKey } from '../base/dropout-mask.js';
import type { Batch } from '../data/batches.js';

export interface Dropout {
  /** The share of numbers that is dropped, from 0 to below 1. */
  readonly rate: number;
  /** Of this step (base/dropout-mask.ts): together with the part of the batch it says which. */
  readonly key: DropoutKey;
}

/** How one step is to be taken. */
export interface StepRequest {
  /** [7] as `adamHyper` makes it. */
  readonly hyper: Float64Array;
  /** Gradients are scaled down to this norm, all together, when theirs is larger; null leaves them as they are. */
  readonly clip: number | null;
  readonly dropout: Dropout | null;
  /** Whether the norm of the gradients is wanted. It is found anyway where there is something to clip or to add up. */
  readonly measure: boolean;
}

export interface StepResult {
  /** Before the update, in nats. */
  readonly loss: number;
  /** Of all gradients together before clipping; null when it was not found. */
  readonly gradNorm: number | null;
}

/** The first tensor, in the order of the parameter table, that holds NaN or an infinity. */
export interface NonFinite {
  readonly tensor: string;
  readonly what: 'parameter' | 'moment' | 'gradient';
  readonly count: number;
  readonly size: number;
}

export interface Learner {
  /**
   * One step of AdamW. Several parts are one batch whose gradients are computed part by part, each from zero, and added up in the order of
   * the parts; the weights of all parts together sum to 1. A loss or a norm that is not finite updates nothing.
   */
  trainStep(parts: readonly Batch[], request: StepRequest): StepResult;
  /** Σ weights·losses without dropout; changes nothing. */
  evaluate(batch: Batch): number;
  /** The sum of `evaluate` over batches, in their order; for a learner that shares the work. Left out, each is evaluated here. */
  evaluateAll?(batches: Iterable<Batch>): number;
  /** Looks through parameters, then moments, then the gradients of the last step. */
  firstNonFinite(): NonFinite | null;
  /** For each layer the share of its hidden units that are 0 in every row of the batch: they neither say nor learn anything. */
  deadUnits(batch: Batch): number[];
}

/** A step with nothing special. */
export function plainStep(hyper: Float64Array): StepRequest {
  return { hyper, clip: null, dropout: null, measure: false };
}
