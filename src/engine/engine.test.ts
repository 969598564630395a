import { describe, expect, test } from 'vitest';
import { largestDifference } from '../../test/golden.js';
import { createPythonRandom } from '../base/python-random.js';
import { type Batch, collate } from '../data/batches.js';
import { type ModelConfig, modelConfig } from '../model/config.js';
import { initialParameters, parameterTable } from '../model/parameters.js';
import { plainStep } from '../train/learner.js';
import { adamHyper } from '../train/optimizer.js';
import { createEngine } from './create-engine.js';
import type { Engine } from './engine.js';
import { requireMemory, trainingMemory } from './memory.js';
import { createTraining } from './training.js';

const V = 7;
const configs: [string, Partial<ModelConfig>][] = [
  ['canonical choices', {}],
  ['two layers, squared relu', { nLayer: 2, activation: 'relu2' }],
  [
    'layernorm, gelu, biases, final norm',
    { norm: 'layernorm', activation: 'gelu', bias: true, embedNorm: false, finalNorm: true },
  ],
  ['rmsnorm, gelu, biases, both norms, one head', { activation: 'gelu', bias: true, finalNorm: true, nHead: 1 }],
  ['layernorm without biases, three heads', { norm: 'layernorm', nEmbd: 6, nHead: 3, nLayer: 3 }],
];

/** The scalar and the reference engine on the same random weights (biases too), and a batch of sequences of different lengths. */
function pair(choices: Partial<ModelConfig>) {
  const config = modelConfig({ nEmbd: 8, nHead: 2, blockSize: 5, ...choices, vocabSize: V });
  const random = createPythonRandom(11);
  const parameters = initialParameters(parameterTable(config), { std: 0.4, residualStd: 0.3 }, random.gauss);
  for (let i = 0; i < parameters.length; i++) if (parameters[i] === 0) parameters[i] = random.gauss(0, 0.2);
  const sequence = (length: number) => Int32Array.from({ length }, () => random.randbelow(V));
  const batch = collate([sequence(6), sequence(3), sequence(9)], config.blockSize);
  return {
    config,
    batch,
    value: createEngine('value', config, parameters),
    reference: createEngine('reference', config, parameters),
  };
}

const stepLoss = (engine: Engine, batch: Batch, hyper: Float64Array) =>
  engine.trainStep([batch], plainStep(hyper)).loss;

function cosine(a: Float64Array, b: Float64Array): number {
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, xi, i) => sum + xi * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe.each(configs)('%s', (_, choices) => {
  test('scalar and reference engine: loss and every gradient', () => {
    const { batch, value, reference } = pair(choices);
    const a = value.gradients(batch);
    const b = reference.gradients(batch);
    expect(a.loss).toBeGreaterThan(1);
    expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-13);
    expect(largestDifference(a.gradients, b.gradients)).toBeLessThan(1e-13);
    // Every parameter takes part: none of its gradients may be zero throughout.
    for (const p of parameterTable(value.config).list) {
      expect(
        a.gradients.subarray(p.offset, p.offset + p.size).some((g) => g !== 0),
        p.name,
      ).toBe(true);
    }
  });

  test('reference and wasm engine: the loss, and each gradient tensor to a cosine of 0.99999', () => {
    const { config, batch, reference } = pair(choices);
    const wasm = createEngine('wasm', config, reference.parameters());
    const a = reference.gradients(batch);
    const b = wasm.gradients(batch);
    expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-5);
    for (const p of parameterTable(config).list) {
      const [x, y] = [a, b].map(({ gradients }) => gradients.subarray(p.offset, p.offset + p.size));
      // A bias of the keys shifts all scores of a query alike, which softmax does not see: its gradient is 0 but for rounding.
      if (p.name.endsWith('attn_bk')) expect(Math.max(...y.map(Math.abs))).toBeLessThan(1e-7);
      else expect(cosine(x, y), p.name).toBeGreaterThan(0.99999);
    }
  });

  test('scalar and reference engine: ten steps of AdamW with decay', () => {
    const { batch, value, reference } = pair(choices);
    const adam = { learningRate: 0.02, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1 };
    for (let step = 0; step < 10; step++) {
      const hyper = adamHyper(adam, 0.02, step);
      expect(Math.abs(stepLoss(value, batch, hyper) - stepLoss(reference, batch, hyper))).toBeLessThan(1e-10);
    }
    expect(largestDifference(value.parameters(), reference.parameters())).toBeLessThan(1e-9);
  });

  test('decoding with a cache gives the logits of the scalar engine, and the gradients’ own loss', () => {
    const { batch, value, reference } = pair(choices);
    let loss = 0;
    const [a, b] = [value.decoder(), reference.decoder()];
    for (let r = 0; r < batch.tokens.length; r++) {
      if (batch.positions[r] === 0) [a, b].map((decoder) => decoder.restart(0));
      const logits = a.read([batch.tokens[r]], [0]);
      expect(largestDifference(logits, b.read([batch.tokens[r]], [0]))).toBeLessThan(1e-13);
      const total = Math.log(logits.reduce((sum, l) => sum + Math.exp(l), 0));
      loss += batch.weights[r] * (total - logits[batch.targets[r]]);
    }
    expect(Math.abs(loss - reference.gradients(batch).loss)).toBeLessThan(1e-12);
  });
});

test('the reference engine’s gradient is the slope of its loss, in every tensor', () => {
  const { config, batch, reference } = pair(configs[2][1]);
  const parameters = reference.parameters();
  const { gradients } = reference.gradients(batch);
  const lossAt = (values: Float64Array) => createEngine('reference', config, values).gradients(batch).loss;
  for (const p of parameterTable(config).list) {
    for (const i of [p.offset, p.offset + p.size - 1]) {
      const shifted = (h: number) => parameters.map((x, k) => (k === i ? x + h : x));
      const slope = (lossAt(shifted(1e-5)) - lossAt(shifted(-1e-5))) / 2e-5;
      expect(Math.abs(slope - gradients[i]), p.name).toBeLessThan(1e-8);
    }
  }
});

test.each(['value', 'reference', 'wasm'] as const)(
  '%s: a batch is overfitted, and its first loss is about ln V',
  (backend) => {
    const config = modelConfig({ nEmbd: 8, nHead: 2, blockSize: 5, vocabSize: V });
    const random = createPythonRandom(5);
    const parameters = initialParameters(parameterTable(config), { std: 0.08, residualStd: 0.08 }, random.gauss);
    const engine: Engine = createEngine(backend, config, parameters);
    const batch = collate([Int32Array.of(6, 1, 2, 3, 4, 6)], config.blockSize);
    const adam = { learningRate: 0.02, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0 };
    const losses = Array.from({ length: 150 }, (_, step) => stepLoss(engine, batch, adamHyper(adam, 0.02, step)));
    expect(Math.abs(losses[0] - Math.log(V)) / Math.log(V)).toBeLessThan(0.1);
    expect(losses[149]).toBeLessThan(0.01);
  },
);

test('sequences side by side do not see each other', () => {
  const { config, reference } = pair({});
  const long = Int32Array.of(6, 1, 2, 3, 4, 6);
  const short = Int32Array.of(6, 5, 6);
  const together = reference.gradients(collate([long, short], config.blockSize));
  const [a, b] = [long, short].map((s) => reference.gradients(collate([s], config.blockSize)));
  expect(Math.abs(together.loss - (5 * a.loss + 2 * b.loss) / 7)).toBeLessThan(1e-14);
});

test('an unknown backend is refused by name', () => {
  const config = modelConfig({ vocabSize: V });
  const create = () => createEngine('gpu' as 'auto', config, new Float64Array(parameterTable(config).total));
  expect(create).toThrow(
    expect.objectContaining({ code: 'MG_TRAIN_BACKEND', message: expect.stringContaining('gpu') }),
  );
});

test('memory is counted before it is taken, and too much is refused with the numbers', () => {
  const large = modelConfig({ nEmbd: 384, nHead: 6, nLayer: 6, blockSize: 256, vocabSize: 65 });
  const { model, step } = trainingMemory('wasm', large, 8, 256);
  expect(model).toBeGreaterThan(6 * 4 * 10_000_000);
  expect(step).toBeGreaterThan(3e8);
  expect(model + step).toBeLessThan(1.2e9);
  expect(trainingMemory('reference', large, 8, 256).step).toBeGreaterThan(step);
  expect(() => requireMemory('auto', large, 8, 256)).not.toThrow();
  expect(() => requireMemory('auto', large, 64, 256)).toThrow(
    expect.objectContaining({
      code: 'MG_ENGINE_MEMORY',
      message: expect.stringMatching(/64 × 256 tokens; the limit is 4,027 MB/),
    }),
  );
  // Parts save the memory of a step and need one more sum of gradients; dropout needs its results.
  const inParts = trainingMemory('wasm', large, 8, 256, { accumulate: 4 });
  expect(inParts.step).toBeLessThan(step / 3.5);
  expect(inParts.model - model).toBe(4 * parameterTable(large).total);
  const dropping = trainingMemory('wasm', large, 8, 256, { dropout: true });
  expect(dropping.step - step).toBeGreaterThanOrEqual(4 * 13 * 8 * 256 * 384);
  expect(() => requireMemory('auto', large, 64, 256, { accumulate: 8 })).not.toThrow();
  expect(() => requireMemory('value', large, 1, 256)).toThrow(expect.objectContaining({ code: 'MG_ENGINE_MEMORY' }));
  // Values are JavaScript objects, of which V8 takes fewer than Wasm takes bytes.
  const pets = modelConfig({ nEmbd: 64, nHead: 4, nLayer: 2, blockSize: 8, vocabSize: 16 });
  expect(() => requireMemory('value', pets, 37, 6)).toThrow(expect.objectContaining({ code: 'MG_ENGINE_MEMORY' }));
  expect(() => requireMemory('value', pets, 37, 6, { accumulate: 4 })).not.toThrow();
});

test('a batch that is too large whole may be trained on in parts, as the refusal says', () => {
  const run = { documents: [...'ab'].map((letter) => letter.repeat(255)), batchSize: 64, steps: 1 };
  const model = { nEmbd: 384, nHead: 6, nLayer: 6, blockSize: 256 };
  expect(() => createTraining({ ...run, model })).toThrow(
    expect.objectContaining({ code: 'MG_ENGINE_MEMORY', remedy: expect.stringContaining('--grad-accum') }),
  );
  const training = createTraining({ ...run, model, settings: { accumulate: 16 } });
  expect(training.parameters).toBeGreaterThan(1e7);
  training.close();
});

test.each(['reference', 'wasm'] as const)(
  '%s: training on many shapes and decoding in between do not touch each other',
  (backend) => {
    const config = modelConfig({ nEmbd: 8, nHead: 2, blockSize: 6, vocabSize: V });
    const random = createPythonRandom(3);
    const parameters = initialParameters(parameterTable(config), { std: 0.3, residualStd: 0.3 }, random.gauss);
    const hyper = Float64Array.of(0, 0.9, 0.9, 1e-8, 0, 1, 1); // a learning rate of 0: the weights stay as they are
    const sequence = (length: number) => Int32Array.from({ length }, (_, i) => (i * 3) % V);
    const batches = [[7, 7, 7, 7, 7], [2], [5, 6], [3], [7, 7]].map((lengths) =>
      collate(lengths.map(sequence), config.blockSize),
    );
    const fresh = () => createEngine(backend, config, parameters);
    const expectedLosses = batches.map((batch) => stepLoss(fresh(), batch, hyper));
    const tokens = [1, 2, 3, 4, 5];
    const alone = fresh().decoder();
    const expectedLogits = tokens.map((token) => alone.read([token], [0]).slice(0, V));

    const engine = fresh();
    const train = () => expect(batches.map((batch) => stepLoss(engine, batch, hyper))).toEqual(expectedLosses);
    train();
    const decoders = [engine.decoder(1), engine.decoder(3)];
    for (const [i, token] of tokens.entries()) {
      for (const decoder of decoders.slice(0, 2)) {
        expect(decoder.read([token], [0]).slice(0, V)).toEqual(expectedLogits[i]);
        train();
      }
      if (i === 2) decoders.push(engine.decoder(2), engine.decoder(9));
      for (const decoder of decoders.slice(2)) {
        decoder.restart(1);
        const rows = tokens.slice(0, i + 1);
        const logits = decoder.read(
          rows,
          rows.map(() => 1),
        );
        expect(logits.slice(i * V, (i + 1) * V)).toEqual(expectedLogits[i]);
      }
    }
  },
);

test('a prompt of more rows than are read at once gives the logits of reading it token by token', () => {
  const config = modelConfig({ nEmbd: 8, nHead: 2, blockSize: 150, vocabSize: V });
  const parameters = initialParameters(
    parameterTable(config),
    { std: 0.3, residualStd: 0.3 },
    createPythonRandom(4).gauss,
  );
  const engine = createEngine('wasm', config, parameters);
  const prompt = Array.from({ length: 150 }, (_, i) => (i * i) % V);
  const slow = engine.decoder();
  const expected = prompt.flatMap((token) => [...slow.read([token], [0]).slice(0, V)]);
  expect([
    ...engine.decoder().read(
      prompt,
      prompt.map(() => 0),
    ),
  ]).toEqual(expected);
});
