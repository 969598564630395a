/**
 * How many steps fit into a time: measured on this machine with steps that are then thrown away.
 * Invariant: the number is all that the measurement leaves behind, so a run repeated with that number of steps gives the same bits.
 */
import { createTraining, type TrainingOptions } from '../../engine/training.js';

const SHARE = 0.04; // of the time, for measuring
const LEAST_MS = 80;
const WARM_MS = 80; // until compiled code has been optimised

/** When a step was finished. */
interface Moment {
  readonly time: number;
  readonly step: number;
}

export async function stepsThatFit(options: TrainingOptions, seconds: number): Promise<number> {
  const started = performance.now();
  const training = createTraining({
    ...options,
    steps: 1_000_000_000,
    settings: { ...options.settings, evalEvery: 0 },
  });
  const budget = Math.max(LEAST_MS, 1000 * seconds * SHARE);
  let first: number | null = null;
  let from: Moment | null = null;
  let now: Moment | null = null;
  try {
    for await (const event of training.events()) {
      if (event.type !== 'step') continue;
      now = { time: performance.now(), step: event.step };
      first ??= now.time;
      if (from === null) {
        if (now.time - first >= WARM_MS) from = now;
      } else if (now.time - from.time >= budget) break;
    }
    if (from === null || now === null) return 1;
    const perStep = (now.time - from.time) / (now.step - from.step);
    // Looking at held-out text ten times takes a few steps' time each; saving and starting, a little more.
    const left = 1000 * seconds - (performance.now() - started);
    return Math.max(1, Math.floor((left * 0.94) / perStep));
  } finally {
    training.close();
  }
}
