import { describe, expect, test } from 'vitest';
import { decodeModel } from '../src/checkpoint/decode.js';
import { encodeDocuments, sequentialBatches } from '../src/data/batches.js';
import { createEngine } from '../src/engine/create-engine.js';
import type { BackendName, Engine } from '../src/engine/engine.js';
import { generate, sampleTexts } from '../src/engine/text.js';
import { probabilities, pythonDraw } from '../src/generate/sampler.js';
import { modelConfig } from '../src/model/config.js';
import { initialParameters, parameterTable } from '../src/model/parameters.js';
import { charTokenizerFrom } from '../src/tokenizer/char.js';
import { plainStep } from '../src/train/learner.js';
import { adamHyper } from '../src/train/optimizer.js';
import { RECIPES, type RecipeName } from '../src/train/recipes.js';
import { scheduleAt } from '../src/train/schedules.js';
import { trainLoop } from '../src/train/trainer.js';
import {
  FULL,
  flat,
  goldenJson,
  goldenLosses,
  goldenText,
  largestDifference,
  randomAfterShuffle,
  shuffledNames,
} from './golden.js';

/** A recipe on the recorded run’s documents, from the recorded run’s place in Python’s random stream. */
function start(name: RecipeName, backend: BackendName) {
  const recipe = RECIPES[name];
  const documents = shuffledNames();
  const tokenizer = charTokenizerFrom(documents, recipe.bosPlace);
  const config = modelConfig({ ...recipe.model, vocabSize: tokenizer.size });
  const random = randomAfterShuffle();
  const initial = initialParameters(parameterTable(config), recipe.spread, random.gauss);
  const engine = createEngine(backend, config, initial);
  const sequences = encodeDocuments(documents, tokenizer, 'names');
  const batches = sequentialBatches(sequences, recipe.batchSize, config.blockSize);
  return { recipe, tokenizer, config, random, initial, engine, batches };
}

async function losses(run: ReturnType<typeof start>, count: number, atStep?: (step: number, engine: Engine) => void) {
  const out: number[] = [];
  const { recipe, engine, batches } = run;
  for await (const event of trainLoop({ ...recipe, learner: engine, batches })) {
    if (event.type !== 'step') continue;
    out.push(event.loss);
    atStep?.(event.step, engine);
    if (event.step === count) break;
  }
  return out;
}

describe.each<[BackendName, number]>([
  ['reference', 1000],
  ['value', FULL ? 1000 : 40],
])('the canonical run on the %s backend', (backend, count) => {
  test(`${count} steps: losses, weights on the way, and at the end the 20 names`, async () => {
    const run = start('canonical', backend);
    expect(largestDifference(run.initial, flat(goldenJson('canonical/init_model.json').weights))).toBeLessThan(1e-15);

    const ours = await losses(run, count, (step, engine) => {
      if (![1, 10, 100, 500].includes(step)) return;
      const recorded = flat(goldenJson(`canonical/model_after_step_${step}.json`).weights);
      expect(largestDifference(engine.parameters(), recorded)).toBeLessThan(1e-12);
    });
    expect(largestDifference(ours, goldenLosses('canonical/losses.txt').slice(0, count))).toBeLessThan(1e-12);

    if (count < 1000) return;
    const recorded = flat(goldenJson('canonical/model.json').weights);
    expect(largestDifference(run.engine.parameters(), recorded)).toBeLessThan(1e-12);
    const { random, config, tokenizer } = run;
    const names = sampleTexts(run.engine.decoder(), { config, tokenizer }, pythonDraw(random), {
      samples: 20,
      temperature: 0.5,
    });
    expect(names).toEqual(goldenText('canonical/samples.txt').trim().split('\n'));
  });

  test('gradients of steps 1 to 3', () => {
    const run = start('canonical', backend);
    const recorded = goldenJson('canonical/grads_steps1-3.json');
    for (let step = 0; step < 3; step++) {
      const batch = run.batches(step);
      expect([...batch.tokens, batch.targets.at(-1)]).toEqual(recorded.tokens[step]);
      const { loss, gradients } = run.engine.gradients(batch);
      expect(Math.abs(loss - recorded.loss[step])).toBeLessThan(1e-12);
      expect(largestDifference(gradients, flat(recorded.grads[step]))).toBeLessThan(1e-12);
      const { adam, schedule, steps } = run.recipe;
      const learningRate = adam.learningRate * scheduleAt(schedule, step, steps);
      run.engine.trainStep([batch], plainStep(adamHyper(adam, learningRate, step)));
    }
  });
});

describe.each<[RecipeName, string, string, number]>([
  ['persistence', 'persistence', 'init_model.json', 1e-9],
  ['scenario', 'scenario-names', 'init_state_dict.json', 1e-10],
])('the earlier recipe %s', (name, folder, initFile, tolerance) => {
  test.each<[BackendName, number]>([
    ['reference', 500],
    ['value', FULL ? 500 : 40],
  ])('losses on the %s backend (%i steps)', async (backend, count) => {
    const run = start(name, backend);
    const recordedInit = goldenJson(`${folder}/${initFile}`);
    expect(largestDifference(run.initial, flat(recordedInit.weights ?? recordedInit))).toBeLessThan(1e-15);
    const ours = await losses(run, count);
    expect(largestDifference(ours, goldenLosses(`${folder}/losses.txt`).slice(0, count))).toBeLessThan(tolerance);
    if (count < 500) return;
    const recorded = goldenJson(`${folder}/model.json`);
    expect(largestDifference(run.engine.parameters(), flat(recorded.weights ?? recorded.state_dict))).toBeLessThan(
      tolerance,
    );
  });
});

/** The names in a recorded log of a generation. */
const logged = (path: string) => [...goldenText(path).matchAll(/^sample +\d+: (.*)$/gm)].map((match) => match[1]);
const load = (path: string) => decodeModel(new TextEncoder().encode(goldenText(path)), path).checkpoint;

describe.each<BackendName>(['reference', 'value', 'wasm'])(
  'models that the Python programs wrote generate what they gave (%s)',
  (backend) => {
    test('persistence: 20 samples at temperature 0.6 after random.seed(42)', () => {
      const model = load('persistence/model.json');
      expect(generate(model, { samples: 20, temperature: 0.6, seed: 42, compat: 'python', backend })).toEqual(
        logged('persistence/run_seed42.log'),
      );
    });

    test.each([
      ['', 'main_default.log', 20],
      ['George', 'main_George.log', 5],
      ['george', 'main_george.log', 5],
      ['abcdefghij', 'main_long.log', 2],
    ])('scenario: prompt "%s"', (prompt, log, samples) => {
      const model = load('scenario-names/model.json');
      expect(
        generate(model, { samples, temperature: 0.5, seed: 42, prompt, compat: 'python-scenario', backend }),
      ).toEqual(logged(`scenario-names/${log}`));
    });
  },
);

test('the recorded sampling of the canonical program, draw by draw', () => {
  const { weights } = goldenJson('canonical/model.json');
  const config = modelConfig({ vocabSize: 27 });
  const decoder = createEngine('reference', config, flat(weights)).decoder();
  let last = 26;
  for (const { pos, chosen, probs } of goldenJson('canonical/sampling_trace.json')) {
    if (pos === 0) {
      decoder.restart(0);
      last = 26;
    }
    expect(largestDifference(probabilities(decoder.read([last], [0]), 0.5), probs)).toBeLessThan(1e-12);
    last = chosen;
  }
});

test('the recorded forward pass of step 1, position by position', () => {
  const decoder = createEngine(
    'reference',
    modelConfig({ vocabSize: 27 }),
    flat(goldenJson('canonical/init_model.json').weights),
  ).decoder();
  for (const { token_id, logits, probs } of goldenJson('canonical/step1_forward.json')) {
    const ours = decoder.read([token_id], [0]);
    expect(largestDifference(ours, logits)).toBeLessThan(1e-12);
    if (probs) expect(largestDifference(probabilities(ours, 1), probs)).toBeLessThan(1e-12);
  }
});

test('the canonical run in f32 (wasm): all 1,000 losses within 1e-5, and the same 20 names', async () => {
  const run = start('canonical', 'wasm');
  const ours = await losses(run, 1000);
  expect(largestDifference(ours, goldenLosses('canonical/losses.txt'))).toBeLessThan(1e-5);
  const names = sampleTexts(run.engine.decoder(), run, pythonDraw(run.random), { samples: 20, temperature: 0.5 });
  expect(names).toEqual(goldenText('canonical/samples.txt').trim().split('\n'));
});
