import { expect, test } from 'vitest';
import type { StepEvent, WarningEvent } from './events.js';
import { createGuards, newGuardState, tinyCorpus } from './guards.js';

interface Course {
  readonly loss: (step: number) => number;
  readonly norm?: (step: number) => number | null;
  readonly learningRate?: number;
  readonly clip?: number;
}

/** The warnings of a run of so many steps. */
function warnings(steps: number, { loss, norm = () => null, learningRate = 0.01, clip }: Course): WarningEvent[] {
  const guards = createGuards(newGuardState(), clip ?? null);
  return Array.from({ length: steps }, (_, i) => i + 1).flatMap((step) => {
    const event: StepEvent = {
      type: 'step',
      step,
      steps,
      loss: loss(step),
      learningRate,
      gradNorm: norm(step),
      predictions: 7,
    };
    return [...guards.step(event)];
  });
}

const noise = (step: number) => Math.sin(step * 12.9898) * 0.8;
const falling = (step: number) => 2 + Math.exp(-step / 200) + noise(step);
const codes = (events: readonly WarningEvent[]) => events.map(({ code }) => code);

test('a healthy course is silent', () => {
  expect(warnings(3000, { loss: falling, norm: (step) => 1 + noise(step) })).toEqual([]);
});

test('gradients far above their median for five steps: one warning with the numbers, at most once in 100 steps', () => {
  const norm = (step: number) => (step >= 73 && step < 78 ? 812 : 3.1);
  const [warning, ...rest] = warnings(1000, { loss: falling, norm, clip: 1 });
  expect(rest).toEqual([]);
  expect(warning).toMatchObject({
    code: 'MG_TRAIN_SPIKE',
    step: 77,
    message: 'gradient norm 812 (median 3.1) at step 77, clipped to 1',
    remedy: 'try a lower --lr, or a smaller --clip',
  });
  const four = (step: number) => (step >= 73 && step < 77 ? 812 : 3.1);
  expect(warnings(1000, { loss: falling, norm: four })).toEqual([]);
  const often = (step: number) => (step > 50 && step % 20 < 5 ? 812 : 3.1);
  const many = warnings(1000, { loss: falling, norm: often });
  expect(many.length).toBeGreaterThan(5);
  // Five in a row end every 20 steps: the next may be told 100 steps after the one before, not later.
  for (const [i, { step }] of many.slice(1).entries()) expect(step - many[i].step).toBe(100);
});

test('the median is that of the last 64 norms, and counts from the sixteenth on', () => {
  const early = (from: number) => (step: number) => (step >= from && step < from + 5 ? 812 : 3.1);
  expect(warnings(40, { loss: falling, norm: early(9) })).toEqual([]);
  expect(codes(warnings(40, { loss: falling, norm: early(17) }))).toEqual(['MG_TRAIN_SPIKE']);
  const rising = (step: number) => (step < 200 ? 1 : step < 280 ? 8 : 12);
  expect(warnings(320, { loss: falling, norm: rising })).toEqual([]);
  const state = newGuardState();
  const guards = createGuards(state, null);
  for (let step = 1; step <= 200; step++)
    guards.step({ type: 'step', step, steps: 200, loss: 1 / step, learningRate: 0.01, gradNorm: 1, predictions: 7 });
  expect(state.norms).toHaveLength(64); // goes into every checkpoint
});

test('a loss far above what it was for five steps', () => {
  const at = (from: number, length: number) => (step: number) =>
    step >= from && step < from + length ? 30 : falling(step);
  expect(warnings(300, { loss: at(150, 5) })).toMatchObject([
    { code: 'MG_TRAIN_SPIKE', step: 154, remedy: 'try a lower --lr, or --clip 1' },
  ]);
  expect(warnings(300, { loss: at(150, 4) })).toEqual([]);
  expect(codes(warnings(20, { loss: (step) => (step === 1 ? 3.3 : 1e6) }))).toEqual(['MG_TRAIN_SPIKE']);
});

test('a loss that stays at 0 is no fault of the learning rate', () => {
  const [found] = warnings(200, { loss: () => 0 });
  expect(found).toMatchObject({ code: 'MG_TRAIN_PLATEAU', remedy: expect.stringContaining('by heart') });
});

test.each<[string, Course, RegExp, number]>([
  ['no learning rate', { loss: falling, learningRate: 0 }, /learning rate is 0/, 1],
  ['no gradients', { loss: falling, norm: () => 0 }, /all gradients have been 0/, 5],
  ['a loss that never changes', { loss: () => 3.2958 }, /exactly 3.296 for 100 steps/, 100],
  ['a loss that only makes noise', { loss: (step) => 3.3 + noise(step) / 20 }, /does not fall: 3\.\d+ on average/, 300],
])('%s: one plateau warning in the run', (_, course, message, step) => {
  expect(warnings(2000, course)).toMatchObject([
    { code: 'MG_TRAIN_PLATEAU', step, message: expect.stringMatching(message) },
  ]);
});

/** Warnings of a run with these validation losses and training losses, ten steps between them. */
function validated(losses: readonly number[], training: (interval: number) => number): WarningEvent[] {
  const guards = createGuards(newGuardState(), null);
  let [bestLoss, bestStep] = [Number.POSITIVE_INFINITY, 0];
  return losses.flatMap((loss, interval) => {
    for (let i = 1; i <= 10; i++) {
      const step = interval * 10 + i;
      guards.step({
        type: 'step',
        step,
        steps: 1000,
        loss: training(interval),
        learningRate: 0.01,
        gradNorm: null,
        predictions: 7,
      });
    }
    const step = (interval + 1) * 10;
    const best = loss < bestLoss;
    if (best) [bestLoss, bestStep] = [loss, step];
    return [...guards.eval({ type: 'eval', step, loss, best, bestLoss, bestStep })];
  });
}

test('overfitting: three validations above the best by 2 % while the training loss falls; once', () => {
  const rising = [3, 2, 2.01, 2.05, 2.1, 2.2, 2.3, 2.4, 2.5];
  const learning = (interval: number) => 3 - interval / 10;
  expect(validated(rising, learning)).toMatchObject([
    {
      code: 'MG_TRAIN_OVERFIT',
      step: 60,
      message: 'the validation loss has risen to 2.2 since its best, 2 at step 20, while the training loss fell to 2.5',
    },
  ]);
  expect(validated(rising, () => 3)).toEqual([]); // the training loss does not fall: something else is wrong
  expect(validated([3, 2, 2.01, 2.02, 2.03, 2.02, 2.01], learning)).toEqual([]);
  expect(validated([3, 2, 2.1, 2.1, 1.9, 2, 2, 1.8], learning)).toEqual([]);
  expect(validated([3, 2, 2.1, 2.1, 2.01, 2.1, 2.1], learning)).toEqual([]); // never three in a row
});

test('dead units: above 99 % of a layer; once', () => {
  const guards = createGuards(newGuardState(), null);
  expect(guards.units(250, [0.5, 0.99])).toEqual([]);
  expect(guards.units(500, [0.5, 0.995])).toMatchObject([
    { code: 'MG_TRAIN_DEAD_UNITS', message: expect.stringContaining('99.5 % of the hidden units of layer 1') },
  ]);
  expect(guards.units(750, [1, 1])).toEqual([]);
});

test('a corpus that is too small: fewer tokens than parameters, each read more than four times', () => {
  expect(tinyCorpus(4192, 300, 7000)).toMatchObject({
    code: 'MG_TRAIN_TINY_CORPUS',
    step: 0,
    message: expect.stringContaining('300 tokens of text for 4,192 parameters, read 23 times'),
  });
  expect(tinyCorpus(4192, 300, 1200)).toBeNull();
  expect(tinyCorpus(4192, 228_000, 7_000_000)).toBeNull();
});
