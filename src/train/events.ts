/**
 * What a training run tells whoever watches it.
 * Refuses to know: who that is. Invariant: events are plain data, and a run that goes on from step k gives the events that it would have
 * given without the interruption.
 */
import type { WarningCode } from '../base/warnings.js';

/** A step is done. */
export interface StepEvent {
  readonly type: 'step';
  /** Steps finished, from 1. */
  readonly step: number;
  readonly steps: number;
  /** Mean −log p of the batch's predictions before this step's update, in nats. */
  readonly loss: number;
  readonly learningRate: number;
  /** Norm of all gradients together before clipping; null on steps that did not find it. */
  readonly gradNorm: number | null;
  /** Predictions in this step's batch. */
  readonly predictions: number;
}

/** The held-out text was looked at. */
export interface EvalEvent {
  readonly type: 'eval';
  readonly step: number;
  /** Mean −log p of the validation data's predictions, in nats. */
  readonly loss: number;
  /** Whether there was none better before. */
  readonly best: boolean;
  readonly bestLoss: number;
  readonly bestStep: number;
}

/** Something about the run is worth knowing; it goes on. */
export interface WarningEvent {
  readonly type: 'warning';
  readonly code: WarningCode;
  /** Steps finished when it was noticed; 0 before the first. */
  readonly step: number;
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** The last event of a run: why it ended. */
export interface StoppedEvent {
  readonly type: 'stopped';
  /** All steps done, aborted by the signal, or no better validation loss for as long as `patience` allows. */
  readonly reason: 'done' | 'aborted' | 'early';
  readonly step: number;
  readonly steps: number;
}

/** What happens in training, by its `type`. */
export type TrainEvent = StepEvent | EvalEvent | WarningEvent | StoppedEvent;
