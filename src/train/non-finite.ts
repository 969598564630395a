/**
 * The error of a run whose numbers are no longer finite: when, where first, what is still good, and what to try.
 * Refuses to know: learners. Invariant: does not claim that a step was good whose update may have been the bad one.
 */
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

export function nonFiniteError(accident: Accident): MicrogptError {
  const { loss, gradNorm, step, steps, learningRate, adam, clip, found } = accident;
  const what = Number.isFinite(loss) ? `the gradient norm became ${gradNorm}` : `the loss became ${loss}`;
  const where =
    found === null
      ? 'all parameters and gradients are still finite'
      : `first non-finite ${found.what}: ${found.tensor} (${whole(found.count)} of ${whole(found.size)})`;
  // This step updated nothing. But a bad parameter or moment was left by the step before.
  const good = found === null || found.what === 'gradient' ? step - 1 : step - 2;
  const last = good > 0 ? `last good step: ${good}` : 'no step was good';
  const tries = [
    `--lr ${figures(adam.learningRate / 10)} (now ${figures(adam.learningRate)})`,
    clip === null ? '--clip 1' : `--clip ${figures(clip / 10)} (now ${figures(clip)})`,
  ];
  return new MicrogptError(
    'MG_TRAIN_NONFINITE',
    `${what} at step ${step} of ${steps} (learning rate ${figures(learningRate)}); ${where}; ${last}; nothing was saved`,
    `try ${tries.join(' or ')}`,
  );
}

const whole = (n: number) => n.toLocaleString('en');
const figures = (x: number) => String(Number(x.toPrecision(3)));
