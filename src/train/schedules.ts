/**
 * Learning-rate schedules: the share of the full rate at each step.
 * Refuses to know: optimizers. Invariant: a pure function of the step and the settings, so a run that goes on needs only its step number.
 */
import { cos } from '../base/math.js';

/** After warm-up: all the way 1, or falling from 1 towards the floor, which step `steps` would reach. */
export type Schedule = 'constant' | 'linear' | 'cosine';

export const SCHEDULES: readonly Schedule[] = ['constant', 'linear', 'cosine'];

/** The share at a step, counted from 0. The first `warmup` steps rise in equal parts to 1; it never falls below `floor` afterwards. */
export function scheduleAt(schedule: Schedule, step: number, steps: number, warmup = 0, floor = 0): number {
  if (step < warmup) return (step + 1) / warmup;
  return floor + (1 - floor) * falling(schedule, step - warmup, steps - warmup);
}

function falling(schedule: Schedule, step: number, steps: number): number {
  switch (schedule) {
    case 'constant':
      return 1;
    case 'linear':
      return 1 - step / steps;
    case 'cosine':
      return 0.5 * (1 + cos((Math.PI * step) / steps));
  }
}
