/**
 * The training loop on real engines: a run in two halves is the run in one, accidents are named, and warnings come when they should.
 */
import { describe, expect, test } from 'vitest';
import { FULL, shuffledNames } from '../../test/golden.js';
import { createWasmBackend } from '../backend/wasm/index.js';
import { MicrogptError } from '../base/errors.js';
import { createPythonRandom } from '../base/python-random.js';
import { encodeDocuments, sequentialBatches } from '../data/batches.js';
import { type ModelConfig, modelConfig } from '../model/config.js';
import { initialParameters, parameterTable } from '../model/parameters.js';
import { nodeThreads } from '../node/threads.js';
import { charTokenizerFrom } from '../tokenizer/char.js';
import { RECIPES } from '../train/recipes.js';
import { newLoopState, type TrainEvent, type TrainLoop, trainLoop } from '../train/trainer.js';
import { createEngine } from './create-engine.js';
import { BACKENDS, type BackendName, type Engine } from './engine.js';
import { createTensorEngine } from './tensor-engine.js';

const recipe = RECIPES.canonical;
const names = shuffledNames();
const tokenizer = charTokenizerFrom(names, recipe.bosPlace);
const sequences = encodeDocuments(names, tokenizer, 'names');

function open(backend: BackendName, choices: Partial<ModelConfig> = {}, threads = 1) {
  const config = modelConfig({ ...recipe.model, ...choices, vocabSize: tokenizer.size });
  const random = createPythonRandom(42);
  const parameters = initialParameters(parameterTable(config), recipe.spread, random.gauss);
  if (backend !== 'wasm') return { ...createEngine(backend, config, parameters), sharedRuns: () => 0 };
  const wasm = createWasmBackend({ threads: { ...nodeThreads(threads), sharedWork: 0 } });
  return { ...createTensorEngine(backend, wasm, config, parameters), sharedRuns: wasm.sharedRuns };
}

type Options = Partial<Omit<TrainLoop, 'learner' | 'batches'>> & { batchSize?: number };

/** The events of a run, up to the step that is asked for. */
async function collect(loop: AsyncIterable<TrainEvent>, until = Number.POSITIVE_INFINITY) {
  const events: TrainEvent[] = [];
  for await (const event of loop) {
    events.push(event);
    if (event.type === 'step' && event.step === until) break;
  }
  return events;
}

function run(engine: Engine, { batchSize = 1, ...options }: Options, until?: number) {
  const batches = sequentialBatches(sequences, batchSize, engine.config.blockSize);
  return collect(trainLoop({ ...recipe, learner: engine, batches, ...options }), until);
}

const stateOf = (engine: Engine) => ({ parameters: engine.parameters(), ...engine.moments() });

/** Everything that a run may be told to do. */
const everything = (): Options => ({
  batchSize: 4,
  schedule: 'cosine',
  warmup: 5,
  floor: 0.1,
  adam: { ...recipe.adam, weightDecay: 0.05 },
  clip: 1,
  accumulate: 3,
  dropout: 0.1,
  seed: 7,
  validation: { every: 7, batches: () => [0, 1].map((i) => halved(sequentialBatches(sequences, 8, 8)(40 + i))) },
});
const halved = <B extends { readonly weights: Float64Array }>(batch: B): B => ({
  ...batch,
  weights: batch.weights.map((w) => w / 2),
});

describe.each<[BackendName, number, number]>([
  ['wasm', FULL ? 200 : 100, 1],
  ['wasm', 60, 2],
  ['reference', FULL ? 200 : 40, 1],
  ['value', FULL ? 40 : 12, 1],
])('%s, %i steps, %i threads', (backend, steps, threads) => {
  test.each([
    ['plain', (): Options => ({ batchSize: 4 })],
    ['with everything', everything],
  ])('%s: a run in two halves has the events and the bits of one', async (_, options) => {
    // On several threads: wide enough for each to get a share of every kernel.
    const choices = threads > 1 ? { nEmbd: 96 } : { nEmbd: 8, nHead: 2, blockSize: 8 };
    const straight = open(backend, choices, threads);
    const whole = await run(straight, { ...options(), steps });
    expect(straight.sharedRuns() >= steps).toBe(threads > 1);
    const half = Math.floor(steps / 2);
    const first = open(backend, choices);
    const progress = newLoopState();
    await run(first, { ...options(), steps, progress }, half);
    const saved = JSON.parse(JSON.stringify(progress)) as typeof progress;
    const second = open(backend, choices);
    second.restore(stateOf(first));
    const rest = await run(second, { ...options(), steps, startStep: half, progress: saved });
    const at = whole.findIndex((event) => event.type === 'step' && event.step === half);
    expect(rest).toEqual(whole.slice(at + 1));
    expect(stateOf(second)).toEqual(stateOf(straight));
    // Negative control: without its moments it goes another way.
    if (backend !== 'wasm') return;
    const forgetful = open(backend, choices);
    const zero = new Float64Array(first.parameters().length);
    forgetful.restore({ parameters: first.parameters(), m: zero, v: zero });
    await run(forgetful, { ...options(), steps, startStep: half });
    expect(stateOf(forgetful).parameters).not.toEqual(stateOf(straight).parameters);
    for (const engine of [straight, first, second, forgetful]) engine.close();
  });
});

test('a healthy canonical run of 1,000 steps warns of nothing, measured or not', async () => {
  for (const options of [{}, { measureEvery: 1 }, { clip: 1 }]) {
    const events = await run(open('wasm'), options);
    expect(events.filter((e) => e.type !== 'step')).toEqual([
      { type: 'stopped', reason: 'done', step: 1000, steps: 1000 },
    ]);
  }
});

const codes = (events: readonly TrainEvent[]) => events.flatMap((e) => (e.type === 'warning' ? [e.code] : []));

test('a learning rate that is 1,000 times too high: warned of at once; clipped, 1,000 steps stay finite', async () => {
  const adam = { ...recipe.adam, learningRate: 1000 * recipe.adam.learningRate };
  const engine = open('wasm');
  const events = await run(engine, { adam, clip: 1 });
  expect(codes(events)).toContain('MG_TRAIN_SPIKE');
  expect(events.find((e) => e.type === 'warning')).toMatchObject({ step: expect.toSatisfy((n: number) => n < 10) });
  expect(events.filter((e) => e.type === 'step')).toHaveLength(1000);
  expect(engine.firstNonFinite()).toBeNull();
});

test.each<[string, Options, string]>([
  ['a learning rate of 0', { adam: { ...recipe.adam, learningRate: 0 } }, 'MG_TRAIN_PLATEAU'],
  ['a learning rate that does next to nothing', { adam: { ...recipe.adam, learningRate: 1e-9 } }, 'MG_TRAIN_PLATEAU'],
])('%s: one warning', async (_, options, code) => {
  expect(codes(await run(open('wasm'), options))).toEqual([code]);
});

test('dead units: one warning', async () => {
  const engine = open('wasm');
  const { parameters, m, v } = stateOf(engine);
  const { offset, size } = parameterTable(engine.config).byName.get('layer0.mlp_fc1')!;
  parameters.fill(0, offset, offset + size);
  engine.restore({ parameters, m, v });
  expect(codes(await run(engine, { steps: 600 }))).toEqual(['MG_TRAIN_DEAD_UNITS']);
});

test('a text learned by heart: the validation loss turns up, one warning; with patience the run ends early', async () => {
  const few = sequences.slice(0, 12);
  const others = sequentialBatches(sequences.slice(500, 600), 100, 16)(0);
  const learn = (patience?: number) => {
    const engine = open('wasm', { nEmbd: 32 });
    const batches = sequentialBatches(few, 4, 16);
    const validation = { every: 20, batches: () => [others] };
    return collect(trainLoop({ ...recipe, learner: engine, batches, steps: 300, validation, patience }));
  };
  const events = await learn();
  expect(codes(events)).toEqual(['MG_TRAIN_OVERFIT']);
  const evals = events.flatMap((e) => (e.type === 'eval' ? [e] : []));
  const best = evals.reduce((a, b) => (b.loss < a.loss ? b : a));
  expect(evals.at(-1)).toMatchObject({ bestLoss: best.loss, bestStep: best.step });
  const early = await learn(3);
  expect(early.at(-1)).toEqual({ type: 'stopped', reason: 'early', step: best.step + 60, steps: 300 });
});

describe.each(BACKENDS)('%s: NaN put into a run', (backend) => {
  const at = 5;
  /** Steps as usual; before step `at` + 1 one number is spoiled. */
  async function accident(what: 'parameters' | 'm' | 'v', tensor: string, options: Options) {
    const engine = open(backend, { nEmbd: 8, nHead: 2, blockSize: 8 });
    let good: unknown = null;
    const { trainStep } = engine;
    let step = 0;
    const learner: Engine = {
      ...engine,
      trainStep(parts, request) {
        if (step++ === at) {
          const state = stateOf(engine);
          state[what][parameterTable(engine.config).byName.get(tensor)!.offset + 1] = NaN;
          engine.restore(state);
          good = stateOf(engine);
        }
        return trainStep(parts, request);
      },
    };
    const error = await run(learner, { steps: 10, ...options }).then(
      () => null,
      (e: unknown) => e as MicrogptError,
    );
    return { error, taken: step, untouched: () => expect(stateOf(engine)).toEqual(good) };
  }

  test.each(['layer0.attn_wq', 'layer0.attn_wo', 'layer0.mlp_fc1', 'layer0.mlp_fc2', 'wpe'])(
    'into %s: stops within that step, names it, and updates nothing',
    async (tensor) => {
      for (const options of [{}, { clip: 1 }, { accumulate: 2, batchSize: 3 }]) {
        const { error, taken, untouched } = await accident('parameters', tensor, options);
        expect(error).toBeInstanceOf(MicrogptError);
        expect(error).toMatchObject({ code: 'MG_TRAIN_NONFINITE', exitCode: 5 });
        expect(error?.message).toMatch(
          new RegExp(
            `at step 6 of 10 \\(learning rate 0.005\\); first non-finite parameter: ${tensor} \\(1 of [\\d,]+\\); last good step: 4;`,
          ),
        );
        expect(taken).toBe(6);
        untouched();
      }
    },
  );

  test('into a moment: stops at the next step at the latest, and at the end in any case', async () => {
    for (const moment of ['m', 'v'] as const) {
      const { error, taken } = await accident(moment, 'layer0.mlp_fc1', {});
      expect(error?.message).toMatch(/non-finite parameter: layer0.mlp_fc1 \(1 of 256\)/);
      expect(taken).toBe(7);
      const last = await accident(moment, 'layer0.mlp_fc1', { steps: 6 });
      expect(last.error?.message).toMatch(/^the update of step 6 of 6 gave .* last good step: 5; nothing was saved$/);
    }
  });
});
