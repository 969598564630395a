/**
 * The training loop: batch, step, event, until the steps are done or someone calls a halt.
 * Refuses to know: clocks, files, screens, and how a step is computed. Whoever reads the events decides what to do about them.
 * Invariant: step numbers in events count finished steps; a loss that is not finite ends the run with an error at once.
 */
import { MicrogptError } from '../base/errors.js';
import type { Batch, Batches } from '../data/batches.js';
import { type AdamSettings, adamHyper, type Schedule, scheduleAt } from './optimizer.js';

/** What can take one training step. */
export interface Learner {
  /** Forward, backward, and an `adamw` update with the given hyperparameters; returns the loss before the update, in nats. */
  trainStep(batch: Batch, hyper: Float64Array): number;
}

export interface StepEvent {
  readonly type: 'step';
  /** Steps finished, from 1. */
  readonly step: number;
  readonly steps: number;
  /** Mean −log p of the batch's predictions before this step's update, in nats. */
  readonly loss: number;
  readonly learningRate: number;
  /** Predictions in this step's batch. */
  readonly predictions: number;
}

export interface StoppedEvent {
  readonly type: 'stopped';
  readonly reason: 'done' | 'aborted';
  readonly step: number;
  readonly steps: number;
}

export type TrainEvent = StepEvent | StoppedEvent;

export interface TrainLoop {
  readonly learner: Learner;
  readonly batches: Batches;
  readonly adam: AdamSettings;
  readonly schedule: Schedule;
  readonly steps: number;
  /** Ends the run after the step in progress. */
  readonly signal?: AbortSignal | undefined;
}

/** @throws MG_TRAIN_NONFINITE when the loss is NaN or infinite. */
export async function* trainLoop(loop: TrainLoop): AsyncGenerator<TrainEvent, void, void> {
  const { learner, batches, adam, schedule, steps, signal } = loop;
  let step = 0;
  while (step < steps && !signal?.aborted) {
    const batch = batches(step);
    const learningRate = adam.learningRate * scheduleAt(schedule, step, steps);
    const loss = learner.trainStep(batch, adamHyper(adam, learningRate, step));
    step++;
    if (!Number.isFinite(loss)) {
      throw new MicrogptError(
        'MG_TRAIN_NONFINITE',
        `the loss became ${loss} at step ${step} of ${steps} (learning rate ${learningRate.toPrecision(3)}); nothing was saved`,
        `try a lower --lr, for example ${(adam.learningRate / 10).toPrecision(2)}`,
      );
    }
    yield { type: 'step', step, steps, loss, learningRate, predictions: batch.tokens.length };
  }
  yield { type: 'stopped', reason: step < steps ? 'aborted' : 'done', step, steps };
}
