import { expect, test } from 'vitest';
import { EXIT, type MicrogptError } from '../base/errors.js';
import { type Batch, collate } from '../data/batches.js';
import type { Learner, StepRequest, StepResult } from './learner.js';
import { RECIPES } from './recipes.js';
import { newLoopState, type TrainEvent, type TrainLoop, trainLoop } from './trainer.js';

const batch = collate([Int32Array.of(1, 0, 1), Int32Array.of(0, 1, 1)], 4);
const { adam, schedule } = RECIPES.canonical;

interface Played {
  readonly losses: readonly number[];
  readonly norms?: readonly number[];
  /** What each evaluation gives. */
  readonly evals?: readonly number[];
  readonly nonFinite?: ReturnType<Learner['firstNonFinite']>;
  readonly dead?: number;
  readonly onEvent?: (e: TrainEvent) => void;
}

/** Runs the loop on a learner that gives these losses, and collects the events and what it was asked for. */
async function run(played: Played, options: Partial<TrainLoop> & { steps: number }) {
  const requests: StepRequest[] = [];
  const parts: number[] = [];
  const events: TrainEvent[] = [];
  let evals = 0;
  const learner: Learner = {
    trainStep(given: readonly Batch[], request): StepResult {
      const i = options.startStep ?? 0;
      requests.push(request);
      parts.push(given.length);
      const at = i + requests.length - 1;
      return { loss: played.losses[at] ?? played.losses.at(-1) ?? 0, gradNorm: played.norms?.[at] ?? null };
    },
    evaluate: () => played.evals?.[evals++] ?? Number.NaN,
    firstNonFinite: () => played.nonFinite ?? null,
    deadUnits: () => [0, played.dead ?? 0],
  };
  let error: unknown = null;
  try {
    for await (const event of trainLoop({ learner, batches: () => batch, adam, schedule, ...options })) {
      events.push(event);
      played.onEvent?.(event);
    }
  } catch (e) {
    error = e;
  }
  return { requests, parts, events, error: error as MicrogptError | null };
}

const validation = (every: number) => ({ every, batches: () => [batch] });

test('every step is an event with its loss and learning rate; the end is one too', async () => {
  const { events, requests } = await run({ losses: [3, 2, 1, 0.5] }, { steps: 4 });
  expect(events.map((e) => e.type)).toEqual(['step', 'step', 'step', 'step', 'stopped']);
  expect(events[1]).toMatchObject({ step: 2, steps: 4, loss: 2, learningRate: 0.0075, gradNorm: null, predictions: 4 });
  expect(events[4]).toMatchObject({ reason: 'done', step: 4 });
  expect(requests.map((r) => r.hyper[0])).toEqual([0.01, 0.0075, 0.005, 0.0025]);
  expect(requests[0]).toMatchObject({ clip: null, dropout: null, measure: false });
});

test('clipping, dropout, parts and measuring are asked of the learner; each step has a dropout key of its own', async () => {
  const options = { steps: 4, clip: 0.5, accumulate: 2, dropout: 0.1, seed: 7, measureEvery: 2 };
  const { requests, parts } = await run({ losses: [3] }, options);
  expect(requests.map((r) => r.clip)).toEqual([0.5, 0.5, 0.5, 0.5]);
  expect(parts).toEqual([2, 2, 2, 2]);
  expect(requests.map((r) => r.measure)).toEqual([false, true, false, true]);
  expect(new Set(requests.map((r) => r.dropout?.key.join())).size).toBe(4);
  const other = await run({ losses: [3] }, { ...options, seed: 8 });
  expect(other.requests[0].dropout?.key).not.toEqual(requests[0].dropout?.key);
  const later = await run({ losses: [3] }, { ...options, startStep: 2 });
  expect(later.requests[0].dropout?.key).toEqual(requests[2].dropout?.key);
});

test('aborting ends the run after the step in progress', async () => {
  const controller = new AbortController();
  const onEvent = (e: TrainEvent) => e.type === 'step' && e.step === 2 && controller.abort();
  const { events } = await run({ losses: [3, 2, 1, 0.5], onEvent }, { steps: 4, signal: controller.signal });
  expect(events.at(-1)).toEqual({ type: 'stopped', reason: 'aborted', step: 2, steps: 4 });
});

test.each([NaN, Infinity])('a loss of %f ends the run at once with the exit code for divergence', async (loss) => {
  const { events, requests, error } = await run({ losses: [3, loss, 1] }, { steps: 3 });
  expect(error).toMatchObject({ code: 'MG_TRAIN_NONFINITE', message: expect.stringContaining('step 2 of 3') });
  expect(error?.exitCode).toBe(EXIT.diverged);
  expect(events).toHaveLength(1);
  expect(requests).toHaveLength(2);
});

test('the error names the first bad tensor, the last good step and what to try', async () => {
  const nonFinite = { tensor: 'layer0.mlp_fc1', what: 'gradient', count: 2, size: 1024 } as const;
  const { error } = await run({ losses: [3, 3, 3], norms: [1, 1, NaN], nonFinite }, { steps: 4 });
  expect(error?.message).toBe(
    'the gradient norm became NaN at step 3 of 4 (learning rate 0.005); first non-finite gradient: layer0.mlp_fc1 (2 of 1,024); last good step: 2; nothing was saved',
  );
  expect(error?.remedy).toBe('try --lr 0.001 (now 0.01) or --clip 1');
  // A bad parameter was there before this step: the step before has left it.
  const parameter = { ...nonFinite, what: 'parameter' } as const;
  const before = await run({ losses: [3, 3, NaN], nonFinite: parameter }, { steps: 4, clip: 1 });
  expect(before.error?.message).toContain('last good step: 1;');
  expect(before.error?.remedy).toContain('--clip 0.1 (now 1)');
  const first = await run({ losses: [NaN], nonFinite: parameter }, { steps: 4 });
  expect(first.error?.message).toContain('no step was good');
});

test('validation: every so many steps and at the end, with the best so far', async () => {
  const { events } = await run({ losses: [3], evals: [2, 1, 1.5] }, { steps: 5, validation: validation(2) });
  expect(events.filter((e) => e.type === 'eval')).toEqual([
    { type: 'eval', step: 2, loss: 2, best: true, bestLoss: 2, bestStep: 2 },
    { type: 'eval', step: 4, loss: 1, best: true, bestLoss: 1, bestStep: 4 },
    { type: 'eval', step: 5, loss: 1.5, best: false, bestLoss: 1, bestStep: 4 },
  ]);
});

test('a validation loss that is not finite ends the run with an error', async () => {
  const { error } = await run({ losses: [3], evals: [2, NaN] }, { steps: 5, validation: validation(2) });
  expect(error).toMatchObject({ code: 'MG_TRAIN_NONFINITE', exitCode: 5 });
  expect(error?.message).toMatch(/^the validation loss became NaN after step 4 of 5; .* last good step: 3;/);
});

test('patience: so many validations without a better one end the run early, and it stays ended', async () => {
  const evals = [2, 3, 3, 1];
  const progress = newLoopState();
  const options = { steps: 9, validation: validation(1), patience: 2, progress };
  const { events } = await run({ losses: [3], evals }, options);
  expect(events.at(-1)).toEqual({ type: 'stopped', reason: 'early', step: 3, steps: 9 });
  const again = await run({ losses: [3], evals: [1] }, { ...options, startStep: 3 });
  expect(again.events).toEqual([{ type: 'stopped', reason: 'early', step: 3, steps: 9 }]);
  const patient = await run({ losses: [3], evals }, { steps: 4, validation: validation(1), patience: 3 });
  expect(patient.events.at(-1)).toMatchObject({ reason: 'done' });
  // All steps are done, whatever the last look says.
  const last = await run({ losses: [3], evals }, { steps: 3, validation: validation(1), patience: 2 });
  expect(last.events.at(-1)).toMatchObject({ reason: 'done', step: 3 });
  // As good as the best is no better.
  const flat = await run({ losses: [3], evals: [2, 2, 2, 2] }, { steps: 9, validation: validation(1), patience: 2 });
  expect(flat.events.filter((e) => e.type === 'eval').map(({ best }) => best)).toEqual([true, false, false]);
  expect(flat.events.at(-1)).toEqual({ type: 'stopped', reason: 'early', step: 3, steps: 9 });
});

test('a run that goes on gives the same events, wherever it was saved', async () => {
  const steps = 260;
  const losses = Array.from({ length: steps }, (_, i) => 3 + Math.sin(i) + (i > 130 && i < 138 ? 50 : 0));
  const norms = losses.map((loss) => loss / 3);
  const options = { steps, clip: 1, validation: validation(20) };
  const evals = Array.from({ length: 14 }, (_, i) => 2 + Math.abs(i - 4) / 10);
  const states: string[] = [];
  const progress = newLoopState();
  const onEvent = () => states.push(JSON.stringify(progress));
  const whole = await run({ losses, norms, evals, dead: 1, onEvent }, { ...options, progress });
  expect(new Set(whole.events.map((e) => e.type))).toEqual(new Set(['step', 'eval', 'warning', 'stopped']));
  const codes = whole.events.flatMap((e) => (e.type === 'warning' ? [e.code] : []));
  expect(codes).toEqual(expect.arrayContaining(['MG_TRAIN_SPIKE', 'MG_TRAIN_DEAD_UNITS']));
  expect(whole.events).toContainEqual(expect.objectContaining({ code: 'MG_TRAIN_DEAD_UNITS', step: 250 }));
  const checks: Promise<void>[] = [];
  let compared = 0;
  whole.events.forEach((event, i) => {
    // Saved on a step's own event, or later before the next step.
    const next = whole.events[i + 1];
    if (event.type !== 'step' && event.type !== 'eval') return;
    if (next?.type === 'warning') return; // is still to be given by the run that was interrupted
    const done = whole.events.slice(0, i + 1).filter((e) => e.type === 'eval').length;
    const saved = JSON.parse(states[i]) as typeof progress;
    if (++compared % 7 !== 0 && event.type === 'step' && next?.type !== 'eval') return;
    checks.push(
      run(
        { losses, norms, evals: evals.slice(done), dead: 1 },
        { ...options, startStep: event.step, progress: saved },
      ).then(({ events }) => expect(events).toEqual(whole.events.slice(i + 1))),
    );
  });
  await Promise.all(checks);
  expect(checks.length).toBeGreaterThan(30);
});
