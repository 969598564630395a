/**
 * The error of a run whose numbers are no longer finite: when, where first, what is still good, and what to try.
 * Refuses to know: learners. Invariant: does not claim that a step was good whose update may have been the bad one.
 */
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import type { NonFinite } from './learner.js';
import type { AdamSettings } from './optimizer.js';

export interface Accident {
  readonly loss: number;
  readonly gradNorm: number | null;
  /** Steps counted from 1, the bad one included. */
  readonly step: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly adam: AdamSettings;
  readonly clip: number | null;
  readonly found: NonFinite | null;
}

/** A step whose loss, or norm of gradients, is not finite. It updated nothing. */
export function nonFiniteError(accident: Accident): MicrogptError {
  const { loss, gradNorm, step, steps, learningRate, adam, clip, found } = accident;
  const what = Number.isFinite(loss) ? `the gradient norm became ${gradNorm}` : `the loss became ${loss}`;
  const place = `at step ${step} of ${steps} (learning rate ${figures(learningRate)})`;
  // A bad parameter or moment was left by the step before.
  const good = found === null || found.what === 'gradient' ? step - 1 : step - 2;
  return error(`${what} ${place}; ${where(found)}; ${lastGood(good)}`, adam, clip);
}

/** A validation whose loss is not finite, after a step whose loss was. */
export function validationError(
  loss: number,
  step: number,
  steps: number,
  adam: AdamSettings,
  clip: number | null,
  found: NonFinite | null,
): MicrogptError {
  const message = `the validation loss became ${loss} after step ${step} of ${steps}; ${where(found)}`;
  return error(`${message}; ${lastGood(step - 1)}`, adam, clip);
}

/** A step whose loss was finite, but whose update was not. */
export function updateError(
  step: number,
  steps: number,
  adam: AdamSettings,
  clip: number | null,
  found: NonFinite,
): MicrogptError {
  const message = `the update of step ${step} of ${steps} gave numbers that are not finite; ${where(found)}`;
  return error(`${message}; ${lastGood(step - 1)}`, adam, clip);
}

function error(message: string, { learningRate }: AdamSettings, clip: number | null): MicrogptError {
  const tries = [
    `--lr ${figures(learningRate / 10)} (now ${figures(learningRate)})`,
    clip === null ? '--clip 1' : `--clip ${figures(clip / 10)} (now ${figures(clip)})`,
  ];
  return new MicrogptError('MG_TRAIN_NONFINITE', `${message}; nothing was saved`, `try ${tries.join(' or ')}`);
}

function where(found: NonFinite | null): string {
  if (found === null) return 'all parameters and gradients are still finite';
  return `first non-finite ${found.what}: ${found.tensor} (${count(found.count)} of ${count(found.size)})`;
}

const lastGood = (step: number) => (step > 0 ? `last good step: ${step}` : 'no step was good');
const figures = (x: number) => String(Number(x.toPrecision(3)));
