import { expect, test } from 'vitest';
import { MicrogptError } from '../base/errors.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { decodeModel } from '../checkpoint/decode.js';
import { modelConfig } from '../model/config.js';
import { choices } from './choices.js';
import { stream } from './stream.js';
import { generate } from './text.js';
import { createTraining, type TrainingOptions, trainModel } from './training.js';

const documents = ['rex', 'bella', 'milo', 'luna'];
const small = { documents, steps: 3, model: { nEmbd: 8, nHead: 2 } };

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof MicrogptError) return error.code;
    throw error;
  }
  return 'none';
}

test.each<[string, object, string]>([
  ['steps NaN', { steps: Number.NaN }, 'MG_OPTION_VALUE'],
  ['steps 0', { steps: 0 }, 'MG_OPTION_VALUE'],
  ['a learning rate of infinity', { learningRate: Number.POSITIVE_INFINITY }, 'MG_OPTION_VALUE'],
  ['a batch of one and a half', { batchSize: 1.5 }, 'MG_OPTION_VALUE'],
  ['a seed with a fraction', { seed: 1.5 }, 'MG_OPTION_VALUE'],
  ['a recipe that does not exist', { recipe: 'toString' }, 'MG_OPTION_VALUE'],
  ['a misspelled option', { stpes: 3 }, 'MG_OPTION_VALUE'],
  ['a misspelled setting', { settings: { adam: { lr: 3 } } }, 'MG_OPTION_VALUE'],
  ['a misspelled size', { model: { nEmbed: 8 } }, 'MG_OPTION_VALUE'],
  ['one text instead of a list', { documents: 'rex' }, 'MG_OPTION_VALUE'],
  ['no documents', { documents: [] }, 'MG_DATA_EMPTY'],
  ['a bias that is a word', { model: { bias: 'yes' } }, 'MG_CONFIG_INVALID'],
  ['more memory than there is', { model: { nEmbd: 2048, nLayer: 4 }, batchSize: 4096 }, 'MG_ENGINE_MEMORY'],
])('createTraining refuses %s', async (_, wrong, code) => {
  expect(await codeOf(() => createTraining({ ...small, ...wrong } as TrainingOptions))).toBe(code);
});

test('a configuration has nothing that no model has', async () => {
  const untyped: object = { nEmbed: 8 };
  expect(await codeOf(() => modelConfig({ vocabSize: 3, ...untyped }))).toBe('MG_CONFIG_INVALID');
});

test('generate refuses what makes no sense', async () => {
  const model = await trainModel(small);
  expect(await codeOf(() => generate(model, { temperature: -1 }))).toBe('MG_OPTION_VALUE');
  expect(await codeOf(() => generate(model, { samples: Number.NaN }))).toBe('MG_OPTION_VALUE');
  const untyped = (options: object) => codeOf(() => generate(model, options));
  expect(await untyped({ temperatur: 1 })).toBe('MG_OPTION_VALUE');
  expect(await untyped({ prompt: 5 })).toBe('MG_OPTION_VALUE');
  expect(await codeOf(() => trainModel(undefined as unknown as TrainingOptions))).toBe('MG_OPTION_VALUE');
  const path = 'pets.json' as unknown as Checkpoint;
  expect(await codeOf(() => generate(path))).toBe('MG_OPTION_VALUE');
  expect(await codeOf(() => stream(path).next())).toBe('MG_OPTION_VALUE');
  const typo: object = { sed: 1 };
  expect(await codeOf(() => stream(model, typo).next())).toBe('MG_OPTION_VALUE');
  const misplaced = ['rex'] as unknown;
  expect(await codeOf(() => choices(model, misplaced as string, []))).toBe('MG_OPTION_VALUE');
  expect(await codeOf(() => choices(model, '', 'rex' as unknown as string[]))).toBe('MG_OPTION_VALUE');
  expect(await codeOf(() => decodeModel('{}' as unknown as Uint8Array))).toBe('MG_OPTION_VALUE');
  expect(await codeOf(() => generate({ ...model, parameters: new Float64Array(3) }))).toBe('MG_OPTION_VALUE');
});

test.each<[string, object]>([
  ['the learning rate', { learningRate: 0.02 }],
  ['the batch size', { batchSize: 2 }],
  ['the seed', { seed: 7 }],
  ['the recipe', { recipe: 'persistence' }],
  ['the width', { model: { nEmbd: 4, nHead: 2 } }],
])('%s makes another model', async (_, other) => {
  const [a, b] = await Promise.all([trainModel(small), trainModel({ ...small, ...other })]);
  expect(b.parameters).not.toEqual(a.parameters);
});

test('a training says how many threads it can use, and those are started, from the same size of step on', async () => {
  const documents = ['abc', 'bcd', 'cde']; // all of one length: every step is the largest
  const open = (sharedWork: number, seen: { started: number }, more: TrainingOptions = {}) => {
    const start = () => seen.started++;
    const threads = { count: 3, start, sharedWork, patience: 0 };
    return createTraining({ documents, steps: 1, batchSize: 3, threads, ...more });
  };
  for (const more of [{}, { settings: { accumulate: 2, clip: 1 } }, { settings: { dropout: 0.1 } }]) {
    let [too, least] = [2 ** 30, 0]; // sizes from which on: none is shared, and all are
    while (too - least > 1) {
      const middle = Math.floor((too + least) / 2);
      if (open(middle, { started: 0 }, more).threads === 3) least = middle;
      else too = middle;
    }
    expect(least).toBeGreaterThan(1000);
    for (const [sharedWork, started] of [
      [least, 2],
      [too, 0],
    ]) {
      const seen = { started: 0 };
      for await (const _ of open(sharedWork, seen, more).events()) {
      }
      expect(seen.started, `${sharedWork} of ${least}`).toBe(started);
    }
  }
  const none = { started: 0 };
  const products = { gemm: () => {}, least: 2 ** 40, leastRows: 1 };
  expect(open(2 ** 30, none, { products }).threads).toBe(3);
  expect(open(0, none, { backend: 'reference' }).threads).toBe(1);
  expect(createTraining({ documents, steps: 1 }).threads).toBe(1);
});

test('threads and the choice between fast backends change nothing about the course of training', async () => {
  const losses = async (backend: 'reference' | 'wasm') => {
    const out: number[] = [];
    for await (const event of createTraining({ ...small, backend }).events())
      if (event.type === 'step') out.push(event.loss);
    return out;
  };
  const [a, b] = [await losses('reference'), await losses('wasm')];
  for (const [i, loss] of a.entries()) expect(Math.abs(loss - b[i])).toBeLessThan(1e-5);
});

test('looking at the gradients of the coming step changes nothing, and they are those that the step goes by', async () => {
  const learn = async (looks: boolean) => {
    const training = createTraining(small);
    const seen: number[] = [];
    const losses: number[] = [];
    if (looks) seen.push(training.gradients().loss);
    for await (const event of training.events()) {
      if (event.type !== 'step') continue;
      losses.push(event.loss);
      if (looks) seen.push(training.gradients().loss);
    }
    const { parameters } = training.checkpoint();
    training.close();
    return { parameters, losses, seen };
  };
  const [plain, watched] = [await learn(false), await learn(true)];
  expect(watched.parameters).toEqual(plain.parameters);
  expect(watched.losses).toEqual(plain.losses);
  expect(watched.seen.slice(0, -1)).toEqual(plain.losses);
});
