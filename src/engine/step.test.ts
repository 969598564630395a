/**
 * What a step can do besides the plain one, on every backend: parts, clipping, dropout, measuring, state taken out and put back.
 */
import { describe, expect, test } from 'vitest';
import { largestDifference } from '../../test/golden.js';
import { createWasmBackend } from '../backend/wasm/index.js';
import { dropoutKey, dropThreshold, keeps, partKey, placeKey } from '../base/dropout-mask.js';
import { createPythonRandom } from '../base/python-random.js';
import { type Batch, collate, splitBatch } from '../data/batches.js';
import { type ModelConfig, modelConfig } from '../model/config.js';
import { initialParameters, parameterTable } from '../model/parameters.js';
import { nodeThreads } from '../node/threads.js';
import { plainStep, type StepRequest } from '../train/learner.js';
import { adamHyper } from '../train/optimizer.js';
import { createEngine } from './create-engine.js';
import { BACKENDS, type BackendName, type Engine } from './engine.js';
import { createTensorEngine } from './tensor-engine.js';

const V = 7;
const adam = { learningRate: 0.02, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1 };

const configs: [string, Partial<ModelConfig>][] = [
  ['canonical choices', {}],
  [
    'two layers, layernorm, gelu, biases',
    { nLayer: 2, norm: 'layernorm', activation: 'gelu', bias: true, embedNorm: false, finalNorm: true },
  ],
];

function open(choices: Partial<ModelConfig>) {
  const config = modelConfig({ nEmbd: 8, nHead: 2, blockSize: 5, ...choices, vocabSize: V });
  const random = createPythonRandom(11);
  const parameters = initialParameters(parameterTable(config), { std: 0.4, residualStd: 0.3 }, random.gauss);
  const sequence = (length: number) => Int32Array.from({ length }, () => random.randbelow(V));
  const batch = collate([6, 3, 9, 4, 2].map(sequence), config.blockSize);
  const engine = (name: BackendName) => createEngine(name, config, parameters);
  return { config, parameters, batch, engine };
}

function request(step: number, extra: Partial<StepRequest> = {}): StepRequest {
  return { ...plainStep(adamHyper(adam, adam.learningRate, step)), ...extra };
}
const dropout = (step: number, rate = 0.25) => ({ rate, key: dropoutKey(42, step) });

/** Everything a run can be compared by. */
function stateOf(engine: Engine) {
  return { parameters: engine.parameters(), ...engine.moments() };
}

const EXTRAS: [string, (step: number) => Partial<StepRequest>, number][] = [
  ['dropout', (step) => ({ dropout: dropout(step) }), 1],
  ['clipping', () => ({ clip: 0.3 }), 1],
  ['three parts', () => ({}), 3],
  ['all of it', (step) => ({ dropout: dropout(step), clip: 0.3, measure: true }), 3],
];

describe.each(configs)('%s', (_, choices) => {
  test.each(EXTRAS)('%s: the scalar engine, the reference and wasm take the same ten steps', (_, extra, n) => {
    const { batch, engine } = open(choices);
    const [value, reference, wasm] = BACKENDS.map((name) => engine(name));
    for (let step = 0; step < 10; step++) {
      const parts = splitBatch(batch, n);
      const [a, b, c] = [value, reference, wasm].map((e) => e.trainStep(parts, request(step, extra(step))));
      expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-10);
      expect(Math.abs(c.loss - b.loss)).toBeLessThan(2e-4);
      expect(a.gradNorm === null).toBe(n === 1 && extra(step).clip === undefined);
      if (a.gradNorm === null || b.gradNorm === null || c.gradNorm === null) {
        expect([a.gradNorm, b.gradNorm, c.gradNorm]).toEqual([null, null, null]);
        continue;
      }
      expect(Math.abs(a.gradNorm - b.gradNorm)).toBeLessThan(1e-9);
      expect(Math.abs(c.gradNorm - b.gradNorm)).toBeLessThan(2e-3);
    }
    expect(largestDifference(value.parameters(), reference.parameters())).toBeLessThan(1e-9);
    expect(largestDifference(value.moments().v, reference.moments().v)).toBeLessThan(1e-9);
    // Biases of keys have no gradient but rounding, which Adam makes large.
    const [ours, wanted] = [wasm, reference].map((e) => {
      const all = e.parameters();
      for (const { name, offset, size } of parameterTable(e.config).list)
        if (name.endsWith('attn_bk')) all.fill(0, offset, offset + size);
      return all;
    });
    expect(largestDifference(ours, wanted)).toBeLessThan(2e-3);
    for (const e of [value, reference, wasm]) e.close();
  });

  test.each(BACKENDS)('%s: parts add up to the batch, in their order', (name) => {
    const { batch, engine } = open(choices);
    const whole = engine(name);
    const inParts = engine(name);
    const a = whole.trainStep([batch], request(0, { measure: true }));
    const parts = splitBatch(batch, 3);
    expect(parts.map((part) => part.starts.length - 1)).toEqual([1, 2, 2]);
    const b = inParts.trainStep(parts, request(0));
    expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-6);
    expect(Math.abs(a.gradNorm! - b.gradNorm!)).toBeLessThan(1e-5);
    expect(largestDifference(whole.moments().m, inParts.moments().m)).toBeLessThan(1e-6);
    // The first moments after one step are 0.1·sum: exactly that of the parts' own gradients, one after the other.
    const other = engine(name);
    const round = name === 'wasm' ? Math.fround : (x: number) => x;
    const sum = parts
      .map((part) => other.gradients(part).gradients)
      .reduce((total, gradients) => total.map((x, i) => round(x + gradients[i])));
    const rest = name === 'wasm' ? Math.fround(1 - Math.fround(0.9)) : 1 - 0.9;
    expect(inParts.moments().m).toEqual(sum.map((g) => round(rest * g) + 0));
  });

  test.each(BACKENDS)('%s: the norm is that of the gradients, and finding it changes no bit', (name) => {
    const { batch, engine } = open(choices);
    const [plain, measured] = [engine(name), engine(name)];
    for (let step = 0; step < 3; step++) {
      const { gradients } = measured.gradients(batch);
      const a = plain.trainStep([batch], request(step));
      const b = measured.trainStep([batch], request(step, { measure: true, clip: 1e9 }));
      const norm = Math.sqrt(gradients.reduce((sum, g) => sum + g * g, 0));
      expect(Math.abs(b.gradNorm! / norm - 1)).toBeLessThan(1e-7);
      expect(b.loss).toBe(a.loss);
    }
    expect(stateOf(measured)).toEqual(stateOf(plain));
  });

  test.each(BACKENDS)('%s: clipping scales all gradients to the limit', (name) => {
    const { batch, engine } = open(choices);
    const [clipped, other] = [engine(name), engine(name)];
    const { gradients } = other.gradients(batch);
    const { gradNorm } = clipped.trainStep([batch], request(0, { clip: 0.05 }));
    expect(gradNorm).toBeGreaterThan(0.1);
    const wanted = gradients.map((g) => (0.1 * g * 0.05) / gradNorm!);
    expect(largestDifference(clipped.moments().m, wanted)).toBeLessThan(1e-8);
  });

  test.each(BACKENDS)('%s: evaluating changes nothing, knows no dropout, and is the loss of the gradients', (name) => {
    const { batch, engine } = open(choices);
    const e = engine(name);
    e.trainStep([batch], request(0, { dropout: dropout(0) }));
    const before = stateOf(e);
    const loss = e.evaluate(batch);
    expect(stateOf(e)).toEqual(before);
    expect(e.evaluate(batch)).toBe(loss);
    expect(loss).toBe(e.gradients(batch).loss);
    expect(e.gradients(batch, dropout(0)).loss).not.toBe(loss);
    const parts = splitBatch(batch, 4).reduce((sum, part) => sum + e.evaluate(part), 0);
    expect(Math.abs(parts - loss)).toBeLessThan(1e-6);
  });

  test.each(BACKENDS)('%s: 10 steps are 5, taken out, put into another engine, and 5 more', (name) => {
    const { batch, engine } = open(choices);
    const take = (e: Engine, from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => {
        const extra = { dropout: dropout(from + i), clip: 0.3 };
        return e.trainStep(splitBatch(batch, 2), request(from + i, extra)).loss;
      });
    const straight = engine(name);
    const losses = take(straight, 0, 10);
    const first = engine(name);
    take(first, 0, 5);
    const second = createEngine(name, first.config, new Float64Array(first.parameters().length));
    second.trainStep([batch], request(0)); // what it was before must not matter
    second.restore(stateOf(first));
    expect(stateOf(second)).toEqual(stateOf(first));
    expect(take(second, 5, 10)).toEqual(losses.slice(5));
    expect(stateOf(second)).toEqual(stateOf(straight));
  });
});

test.each(BACKENDS)('%s: dropout stands on the embedding and on both branches, and scales what it keeps', (name) => {
  // One layer without anything that mixes or bends: weights of 0 in the branches leave the embedding alone.
  const { config, batch } = open({ embedNorm: false });
  const table = parameterTable(config);
  const parameters = new Float64Array(table.total);
  const [wte, head] = ['wte', 'lm_head'].map((part) => table.byName.get(part)!);
  for (let i = 0; i < wte.size; i++) parameters[wte.offset + i] = 1;
  parameters[head.offset] = 1; // the logit of token 0 is the first element of the stream
  const e = createEngine(name, config, parameters);
  const one: Batch = { ...batch, weights: batch.weights.map((_, r) => (r === 4 ? 1 : 0)) };
  const lossAt = (x: number) => {
    const logits = Array.from({ length: V }, (_, i) => (i === 0 ? x : 0));
    return Math.log(logits.reduce((sum, l) => sum + Math.exp(l), 0)) - logits[batch.targets[4]];
  };
  expect(e.evaluate(one)).toBeCloseTo(lossAt(1), 5);
  const seen = new Set<boolean>();
  for (let step = 0; step < 8; step++) {
    const drop = dropout(step, 0.5);
    const kept = keeps(placeKey(partKey(drop.key, 0), 0), dropThreshold(0.5), 4 * config.nEmbd);
    seen.add(kept);
    expect(e.gradients(one, drop).loss).toBeCloseTo(lossAt(kept ? 2 : 0), 5);
  }
  expect(seen.size).toBe(2);
});

test('the same bits on 1, 2 and 4 threads: dropout, clipping and three parts', () => {
  const config = modelConfig({ nEmbd: 64, nHead: 4, nLayer: 2, blockSize: 32, vocabSize: 27, activation: 'gelu' });
  const random = createPythonRandom(3);
  const parameters = initialParameters(parameterTable(config), { std: 0.08, residualStd: 0.08 }, random.gauss);
  const batch = collate(
    Array.from({ length: 12 }, (_, b) => Int32Array.from({ length: 20 + b }, () => random.randbelow(27))),
    config.blockSize,
  );
  const states = [1, 2, 4].map((count) => {
    const backend = createWasmBackend({ threads: { ...nodeThreads(count), sharedWork: 0 } });
    const e = createTensorEngine('wasm', backend, config, parameters);
    const results = Array.from({ length: 6 }, (_, step) =>
      e.trainStep(splitBatch(batch, 3), request(step, { dropout: dropout(step), clip: 0.5 })),
    );
    const state = { results, ...stateOf(e) };
    // Of each of the six steps: three parts, adding each up, and the update.
    expect(backend.sharedRuns()).toBe(count > 1 ? 6 * 7 : 0);
    e.close();
    return state;
  });
  expect(states[0].results.every(({ loss }) => Number.isFinite(loss))).toBe(true);
  expect(states[1]).toEqual(states[0]);
  expect(states[2]).toEqual(states[0]);
});

describe.each(BACKENDS)('%s: numbers that are not finite', (name) => {
  /** An engine after two good steps, with one number of one array replaced. */
  function spoiled(what: 'parameters' | 'm' | 'v', tensor: string, bad: number) {
    const { batch, engine } = open({});
    const e = engine(name);
    for (let step = 0; step < 2; step++) e.trainStep([batch], request(step));
    const state = stateOf(e);
    state[what][parameterTable(e.config).byName.get(tensor)!.offset + 3] = bad;
    e.restore(state);
    return { e, batch, state };
  }

  test.each([NaN, Infinity])('a parameter of %f: the loss shows it, nothing is updated, and it is named', (bad) => {
    for (const extra of [{}, { clip: 1 }, { measure: true }]) {
      const { e, batch, state } = spoiled('parameters', 'layer0.mlp_fc1', bad);
      const { loss, gradNorm } = e.trainStep([batch], request(2, extra));
      expect(Number.isFinite(loss) && Number.isFinite(gradNorm ?? 0)).toBe(false);
      expect(stateOf(e)).toEqual(state);
      expect(e.firstNonFinite()).toEqual({ tensor: 'layer0.mlp_fc1', what: 'parameter', count: 1, size: 256 });
    }
  });

  test.each([NaN, Infinity])('%f in any tensor shows in the loss or the norm', (bad) => {
    const { engine, config, parameters, batch } = open({ bias: true, nLayer: 2, activation: 'relu2', finalNorm: true });
    const zero = new Float64Array(parameters.length);
    const all = { ...batch, tokens: batch.tokens.map((_, r) => r % V) }; // every row of wte is read
    const e = engine(name);
    for (const p of parameterTable(config).list) {
      const spoiled = parameters.slice();
      spoiled[p.offset] = bad;
      e.restore({ parameters: spoiled, m: zero, v: zero });
      const before = e.parameters();
      const { loss, gradNorm } = e.trainStep([all], request(0, { measure: true }));
      expect(Number.isFinite(loss) && Number.isFinite(gradNorm), p.name).toBe(false);
      expect(e.parameters()).toEqual(before);
    }
  });

  test('a moment: it is named before anything is done with it', () => {
    for (const moment of ['m', 'v'] as const) {
      const { e } = spoiled(moment, 'lm_head', NaN);
      expect(e.firstNonFinite()).toEqual({ tensor: 'lm_head', what: 'moment', count: 1, size: 56 });
    }
  });

  test('a gradient: with its norm known nothing is updated, and the first bad tensor is named', () => {
    const { batch, engine } = open({});
    const e = engine(name);
    e.trainStep([batch], request(0));
    const before = stateOf(e);
    const bad: Batch = { ...batch, weights: batch.weights.map((w, r) => (r === 2 ? NaN : w)) };
    expect(e.firstNonFinite()).toBeNull();
    const { gradNorm } = e.trainStep(splitBatch(bad, 2), request(1, { clip: 1 }));
    expect(gradNorm).toBeNaN();
    expect(stateOf(e)).toEqual(before);
    expect(e.firstNonFinite()).toMatchObject({ tensor: 'wte', what: 'gradient' });
  });
});

test.each(BACKENDS)('%s: a huge batch of gradients is survived with clipping', (name) => {
  const { batch, engine } = open({});
  const huge: Batch = { ...batch, weights: batch.weights.map((w) => w * (name === 'wasm' ? 1e25 : 1e200)) };
  const finite = [null, 1].map((clip) => {
    const e = engine(name);
    for (let step = 0; step < 20; step++) e.trainStep([step === 5 ? huge : batch], request(step, { clip }));
    return e.firstNonFinite() === null;
  });
  expect(finite).toEqual([false, true]);
});

test.each(BACKENDS)('%s: dead units are counted layer by layer, over the rows of the batch alone', (name) => {
  const { config, batch, parameters } = open({ nLayer: 2 });
  const { offset } = parameterTable(config).byName.get('layer1.mlp_fc1')!;
  const silenced = parameters.slice();
  silenced.fill(0, offset, offset + 10 * config.nEmbd); // ten of the 32 units
  const e = createEngine(name, config, silenced);
  const [before] = [createEngine(name, config, parameters).deadUnits(batch)];
  expect(before.every((share) => share < 0.3)).toBe(true);
  const [first, second] = e.deadUnits(batch);
  expect(first).toBe(before[0]);
  expect(second).toBeGreaterThan(before[1]);
  expect(second).toBeGreaterThanOrEqual(10 / 32);
  expect(second).toBeLessThanOrEqual(10 / 32 + before[1]);
});
