/**
 * The scalar engine: the model of autograd/value-gpt.ts, one Value per parameter. For learning and for checking; about a
 * hundred times slower than the tensor engine.
 */

import { Tape, type Value } from '../autograd/value.js';
import { createValueCache, gptStep, sequenceLoss, type ValueHooks, type ValueWeights } from '../autograd/value-gpt.js';
import { type DropoutKey, dropThreshold, keeps, partKey, placeKey } from '../base/dropout-mask.js';
import { MicrogptError } from '../base/errors.js';
import type { Batch } from '../data/batches.js';
import type { ModelConfig } from '../model/config.js';
import { type Parameter, parameterTable } from '../model/parameters.js';
import type { Dropout } from '../train/learner.js';
import type { Decoder, Engine } from './engine.js';
import { deadShare, firstNonFinite } from './health.js';

/** What is done to the vectors of a row of the batch. */
type RowHooks = (row: number) => ValueHooks;

export function createValueEngine(config: ModelConfig, parameters: Float64Array): Engine {
  const tape = new Tape();
  const table = parameterTable(config);
  const all = Array.from(parameters, (x) => tape.leaf(x)); // [total]
  const weights: ValueWeights = Object.fromEntries(table.list.map((p) => [p.name, rowsOf(p, all)]));
  const m = new Float64Array(all.length);
  const v = new Float64Array(all.length);
  let gradients = new Float64Array(all.length); // of the last step

  function forward(batch: Batch, hooks?: RowHooks): Value {
    tape.clear();
    return batchLoss(tape, config, weights, batch, hooks);
  }

  function backward(batch: Batch, dropout: Dropout | null, part: number) {
    for (const parameter of all) parameter.grad = 0;
    const loss = forward(batch, dropout === null ? undefined : droppingHooks(dropout, part));
    loss.backward();
    return { loss: loss.data, gradients: Float64Array.from(all, (p) => p.grad) };
  }

  return {
    backend: 'value',
    config,
    trainStep(parts, { hyper, clip, dropout, measure }) {
      let loss = 0;
      gradients = new Float64Array(all.length);
      parts.forEach((batch, part) => {
        const found = backward(batch, dropout, part);
        loss += found.loss;
        gradients = gradients.map((sum, i) => sum + found.gradients[i]);
      });
      const found = measure || clip !== null || parts.length > 1;
      const gradNorm = found ? Math.sqrt(gradients.reduce((sum, g) => sum + g * g, 0)) : null;
      if (Number.isFinite(gradNorm ?? loss)) {
        const scale = clip === null || gradNorm === null ? 1 : Math.min(1, clip / gradNorm);
        adamStep(
          all,
          gradients.map((g) => g * scale),
          m,
          v,
          hyper,
        );
      }
      return { loss, gradNorm };
    },
    gradients(batch, dropout = null, part = 0) {
      const found = backward(batch, dropout, part);
      gradients = found.gradients;
      return found;
    },
    evaluate: (batch) => forward(batch).data,
    deadUnits(batch) {
      const rows: number[][] = Array.from({ length: config.nLayer }, () => []);
      const hidden = (layer: number, x: readonly Value[]) => {
        for (const { data } of x) rows[layer].push(data);
      };
      forward(batch, () => ({ drop: (_place, x) => x, hidden }));
      return rows.map((values) => deadShare(Float64Array.from(values), batch.tokens.length, 4 * config.nEmbd));
    },
    firstNonFinite: () =>
      firstNonFinite(table, [
        ['parameter', (offset, size) => Float64Array.from(all.slice(offset, offset + size), (p) => p.data)],
        ['moment', (offset, size) => m.subarray(offset, offset + size)],
        ['moment', (offset, size) => v.subarray(offset, offset + size)],
        ['gradient', (offset, size) => gradients.subarray(offset, offset + size)],
      ]),
    parameters: () => Float64Array.from(all, (p) => p.data),
    moments: () => ({ m: m.slice(), v: v.slice() }),
    restore(state) {
      all.forEach((p, i) => {
        p.data = state.parameters[i];
      });
      m.set(state.m);
      v.set(state.v);
    },
    decoder: (sequences = 1) => createValueDecoder(tape, config, weights, sequences),
    look() {
      throw new MicrogptError(
        'MG_TRAIN_BACKEND',
        'the value backend keeps no attention to look at',
        'choose --backend wasm or reference',
      );
    },
    close: () => tape.clear(),
  };
}

/** A parameter's Values as rows; a bias is one row. */
function rowsOf(p: Parameter, all: readonly Value[]): Value[][] {
  const [rows, width] = p.shape.length === 2 ? p.shape : ([1, p.size] as const);
  return Array.from({ length: rows }, (_, r) => all.slice(p.offset + r * width, p.offset + (r + 1) * width));
}

/** Element c of row r is number r·C + c of its place. */
function droppingHooks({ rate, key }: Dropout, part: number): RowHooks {
  const places = new Map<number, DropoutKey>();
  const threshold = dropThreshold(rate);
  return (row) => ({
    drop(place, x) {
      const placed = places.get(place) ?? placeKey(partKey(key, part), place);
      places.set(place, placed);
      return x.map((xi, c) => xi.mul(keeps(placed, threshold, row * x.length + c) ? 1 / (1 - rate) : 0));
    },
    hidden() {},
  });
}

function batchLoss(tape: Tape, config: ModelConfig, weights: ValueWeights, batch: Batch, hooks?: RowHooks): Value {
  let total = tape.leaf(0);
  for (let b = 0; b + 1 < batch.starts.length; b++) {
    const part = <A extends { subarray(from: number, to: number): A }>(x: A): A =>
      x.subarray(batch.starts[b], batch.starts[b + 1]);
    const loss = sequenceLoss(
      tape,
      config,
      weights,
      part(batch.tokens),
      part(batch.targets),
      part(batch.weights),
      hooks && ((position) => hooks(batch.starts[b] + position)),
    );
    total = total.add(loss);
  }
  return total;
}

/** Adam (Kingma & Ba, 2015) on Values: a running mean of each gradient, divided by its running size. */
function adamStep(
  parameters: readonly Value[],
  gradients: Float64Array,
  m: Float64Array,
  v: Float64Array,
  hyper: Float64Array,
): void {
  const [learningRate, beta1, beta2, eps, decay, correction1, correction2] = hyper;
  parameters.forEach((p, i) => {
    const g = gradients[i];
    m[i] = beta1 * m[i] + (1 - beta1) * g;
    v[i] = beta2 * v[i] + (1 - beta2) * g * g;
    p.data -= learningRate * (m[i] / correction1 / (Math.sqrt(v[i] / correction2) + eps) + decay * p.data);
  });
}

function createValueDecoder(tape: Tape, config: ModelConfig, weights: ValueWeights, sequences: number): Decoder {
  const caches = Array.from({ length: sequences }, () => createValueCache(config));
  const position = new Int32Array(sequences);
  return {
    sequences,
    position: (sequence) => position[sequence],
    read(tokens, of) {
      const logits = Array.from(tokens, (token, r) =>
        gptStep(config, weights, token, position[of[r]]++, caches[of[r]]).map((logit) => logit.data),
      );
      tape.clear();
      return Float64Array.from(logits.flat());
    },
    restart(sequence, keep = 0) {
      const { keys, values } = caches[sequence];
      for (const layer of [...keys, ...values]) layer.length = Math.min(keep, layer.length);
      position[sequence] = Math.min(keep, position[sequence]);
    },
    close() {},
  };
}
