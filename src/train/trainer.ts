/**
 * The training loop: batch, step, event, now and then a validation, until the steps are done or someone calls a halt.
 * Refuses to know: clocks, files, screens, and how a step is computed. Whoever reads the events decides what to do about them.
 * Invariant: step numbers in events count finished steps; a loss or a gradient that is not finite ends the run with an error at once; a run
 * that goes on from step k with the learner's and the loop's state gives the same events as one that was never interrupted.
 */
import { dropoutKey } from '../base/dropout-mask.js';
import { type Batch, type Batches, splitBatch } from '../data/batches.js';
import type { EvalEvent, TrainEvent } from './events.js';
import { createGuards, type GuardState, newGuardState } from './guards.js';
import type { Learner } from './learner.js';
import { nonFiniteError, updateError, validationError } from './non-finite.js';
import { type AdamSettings, adamHyper } from './optimizer.js';
import { type Schedule, scheduleAt } from './schedules.js';

export type { EvalEvent, StepEvent, StoppedEvent, TrainEvent, WarningEvent } from './events.js';
export type { Dropout, Learner, NonFinite, StepRequest, StepResult } from './learner.js';

/** Steps between two looks at the hidden units. */
const UNITS_EVERY = 250;

/** Where a run stands besides its weights and moments: plain JSON, to be saved with them and handed back. */
export interface LoopState {
  bestLoss: number | null;
  bestStep: number;
  evalsSinceBest: number;
  /** Steps that were finished at the last validation. */
  lastEval: number;
  guards: GuardState;
}

/** Of a run that begins after `step` steps. */
export function newLoopState(step = 0): LoopState {
  return { bestLoss: null, bestStep: 0, evalsSinceBest: 0, lastEval: step, guards: newGuardState() };
}

export interface Validation {
  /** Their weights are such that the losses add up to the mean. */
  batches(): Iterable<Batch>;
  /** Validated after every so many steps, and at the end. */
  readonly every: number;
}

export interface TrainLoop {
  readonly learner: Learner;
  readonly batches: Batches;
  readonly adam: AdamSettings;
  readonly schedule: Schedule;
  /** Steps in which the learning rate rises, and the share of it below which it never falls again; both 0 if left out. */
  readonly warmup?: number | undefined;
  readonly floor?: number | undefined;
  readonly steps: number;
  /** Steps that are already done; 0 if left out. */
  readonly startStep?: number | undefined;
  /** The largest norm of all gradients together; 0 or left out for no limit. */
  readonly clip?: number | undefined;
  /** Parts into which a batch is split, computed one after the other to save memory; 1 if left out. */
  readonly accumulate?: number | undefined;
  /** The share of numbers that is dropped while training; 0 if left out. */
  readonly dropout?: number | undefined;
  /** Decides what is dropped; 0 if left out. */
  readonly seed?: number | bigint | undefined;
  /** The norm of the gradients is found every so many steps; if left out, only where clipping or accumulating finds it anyway. */
  readonly measureEvery?: number | undefined;
  readonly validation?: Validation | undefined;
  /** Ends the run after so many validations in a row without a better loss; 0 or left out for never. */
  readonly patience?: number | undefined;
  /** Kept up to date by the loop; a run that goes on hands back what was saved. */
  readonly progress?: LoopState | undefined;
  /** Ends the run after the step in progress. */
  readonly signal?: AbortSignal | undefined;
}

/** @throws MG_TRAIN_NONFINITE when the loss or the norm of the gradients is NaN or infinite, or after the last step a parameter or a moment. */
export async function* trainLoop(loop: TrainLoop): AsyncGenerator<TrainEvent, void, void> {
  const { learner, batches, adam, schedule, warmup = 0, floor = 0, steps, startStep = 0, signal, patience = 0 } = loop;
  const { accumulate = 1, dropout = 0, seed = 0, measureEvery = 0, validation } = loop;
  const clip = loop.clip || null;
  const progress = loop.progress ?? newLoopState(startStep);
  const guards = createGuards(progress.guards, clip);
  let step = startStep;

  const due = (every: number) => progress.lastEval < step && (step % every === 0 || step === steps);
  const outOfPatience = () => patience > 0 && progress.evalsSinceBest >= patience;

  /** A run that was saved between a step and the validation after it begins with that validation. */
  function* validated(of: Validation): Generator<TrainEvent> {
    const loss = lossOf(learner, of.batches());
    if (!Number.isFinite(loss)) throw validationError(loss, step, steps, adam, clip, learner.firstNonFinite());
    const event = evaluated(loss, progress, step);
    const warnings = guards.eval(event);
    yield event;
    yield* warnings;
  }

  if (validation && due(validation.every)) yield* validated(validation);
  while (step < steps && !signal?.aborted && !outOfPatience()) {
    const batch = batches(step);
    const learningRate = adam.learningRate * scheduleAt(schedule, step, steps, warmup, floor);
    const { loss, gradNorm } = learner.trainStep(accumulate === 1 ? [batch] : splitBatch(batch, accumulate), {
      hyper: adamHyper(adam, learningRate, step),
      clip,
      dropout: dropout === 0 ? null : { rate: dropout, key: dropoutKey(seed, step) },
      measure: measureEvery > 0 && (step + 1) % measureEvery === 0,
    });
    step++;
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm ?? 0)) {
      throw nonFiniteError({ loss, gradNorm, step, steps, learningRate, adam, clip, found: learner.firstNonFinite() });
    }
    const event = {
      type: 'step',
      step,
      steps,
      loss,
      learningRate,
      gradNorm,
      predictions: batch.tokens.length,
    } as const;
    const warnings = guards.step(event);
    yield event;
    if (warnings.length > 0) yield* warnings;
    if (step % UNITS_EVERY === 0) yield* guards.units(step, learner.deadUnits(batch));
    if (validation && due(validation.every)) yield* validated(validation);
  }
  if (step > startStep) {
    const found = learner.firstNonFinite(); // what the last update left behind
    if (found !== null) throw updateError(step, steps, adam, clip, found);
  }
  const reason = step >= steps ? 'done' : outOfPatience() ? 'early' : 'aborted';
  yield { type: 'stopped', reason, step, steps };
}

function lossOf(learner: Learner, batches: Iterable<Batch>): number {
  if (learner.evaluateAll !== undefined) return learner.evaluateAll(batches);
  let loss = 0;
  for (const batch of batches) loss += learner.evaluate(batch);
  return loss;
}

function evaluated(loss: number, progress: LoopState, step: number): EvalEvent {
  const best = progress.bestLoss === null || loss < progress.bestLoss;
  if (best) {
    progress.bestLoss = loss;
    progress.bestStep = step;
  }
  progress.evalsSinceBest = best ? 0 : progress.evalsSinceBest + 1;
  progress.lastEval = step;
  return { type: 'eval', step, loss, best, bestLoss: progress.bestLoss ?? loss, bestStep: progress.bestStep };
}
