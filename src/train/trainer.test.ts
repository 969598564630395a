import { expect, test } from 'vitest';
import { EXIT, type MicrogptError } from '../base/errors.js';
import { collate } from '../data/batches.js';
import { adamHyper, scheduleAt } from './optimizer.js';
import { RECIPES } from './recipes.js';
import { type TrainEvent, trainLoop } from './trainer.js';

const batch = collate([Int32Array.of(1, 0, 1)], 4);
const { adam, schedule } = RECIPES.canonical;

/** Runs the loop on a learner that gives these losses, and collects the events and the hyperparameters it was given. */
async function run(
  losses: readonly number[],
  options: { steps: number; signal?: AbortSignal; onEvent?: (e: TrainEvent) => void },
) {
  const hypers: Float64Array[] = [];
  const events: TrainEvent[] = [];
  const learner = {
    trainStep: (_: unknown, hyper: Float64Array) => {
      hypers.push(hyper);
      return losses[hypers.length - 1];
    },
  };
  const { steps, signal, onEvent } = options;
  let error: unknown = null;
  try {
    for await (const event of trainLoop({ learner, batches: () => batch, adam, schedule, steps, signal })) {
      events.push(event);
      onEvent?.(event);
    }
  } catch (e) {
    error = e;
  }
  return { hypers, events, error };
}

test('every step is an event with its loss and learning rate; the end is one too', async () => {
  const { events, hypers } = await run([3, 2, 1, 0.5], { steps: 4 });
  expect(events.map((e) => e.type)).toEqual(['step', 'step', 'step', 'step', 'stopped']);
  expect(events[1]).toMatchObject({ step: 2, steps: 4, loss: 2, learningRate: 0.0075, predictions: 2 });
  expect(events[4]).toMatchObject({ reason: 'done', step: 4 });
  expect(hypers.map((h) => h[0])).toEqual([0.01, 0.0075, 0.005, 0.0025]);
});

test('aborting ends the run after the step in progress', async () => {
  const controller = new AbortController();
  const { events } = await run([3, 2, 1, 0.5], {
    steps: 4,
    signal: controller.signal,
    onEvent: (e) => e.type === 'step' && e.step === 2 && controller.abort(),
  });
  expect(events.at(-1)).toEqual({ type: 'stopped', reason: 'aborted', step: 2, steps: 4 });
});

test.each([NaN, Infinity])(
  'a loss of %f ends the run at once with an error and the exit code for divergence',
  async (loss) => {
    const { events, hypers, error } = await run([3, loss, 1], { steps: 3 });
    expect(error).toMatchObject({ code: 'MG_TRAIN_NONFINITE', message: expect.stringContaining('step 2 of 3') });
    expect((error as MicrogptError).exitCode).toBe(EXIT.diverged);
    expect(events).toHaveLength(1);
    expect(hypers).toHaveLength(2);
  },
);

test('schedules start at 1 and fall; bias corrections follow the powers of the betas', () => {
  expect(scheduleAt('linear', 0, 10)).toBe(1);
  expect(scheduleAt('linear', 9, 10)).toBeCloseTo(0.1, 15);
  expect(scheduleAt('cosine', 0, 10)).toBe(1);
  expect(scheduleAt('cosine', 5, 10)).toBeCloseTo(0.5, 15);
  expect([...adamHyper(adam, 0.01, 0)]).toEqual([0.01, 0.85, 0.99, 1e-8, 0, 1 - 0.85, 1 - 0.99]);
  expect(adamHyper(adam, 0.01, 2)[5]).toBeCloseTo(1 - 0.85 ** 3, 15);
});
