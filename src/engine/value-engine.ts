/**
 * The scalar engine: the model of autograd/value-gpt.ts, one Value per parameter. For learning and for checking; about a
 * hundred times slower than the tensor engine.
 */

import { Tape, type Value } from '../autograd/value.js';
import { createValueCache, gptStep, sequenceLoss, type ValueWeights } from '../autograd/value-gpt.js';
import { MicrogptError } from '../base/errors.js';
import type { Batch } from '../data/batches.js';
import type { ModelConfig } from '../model/config.js';
import { type Parameter, parameterTable } from '../model/parameters.js';
import type { Decoder, Engine } from './engine.js';

export function createValueEngine(config: ModelConfig, parameters: Float64Array): Engine {
  const tape = new Tape();
  const table = parameterTable(config);
  const all = Array.from(parameters, (x) => tape.leaf(x)); // [total]
  const weights: ValueWeights = Object.fromEntries(table.list.map((p) => [p.name, rowsOf(p, all)]));
  const m = new Float64Array(all.length);
  const v = new Float64Array(all.length);

  function backward(batch: Batch): number {
    tape.clear();
    for (const parameter of all) parameter.grad = 0;
    const loss = batchLoss(tape, config, weights, batch);
    loss.backward();
    return loss.data;
  }

  return {
    backend: 'value',
    config,
    trainStep(batch, hyper) {
      const loss = backward(batch);
      adamStep(all, m, v, hyper);
      return loss;
    },
    gradients: (batch) => ({ loss: backward(batch), gradients: Float64Array.from(all, (p) => p.grad) }),
    parameters: () => Float64Array.from(all, (p) => p.data),
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

function batchLoss(tape: Tape, config: ModelConfig, weights: ValueWeights, batch: Batch): Value {
  let total = tape.leaf(0);
  for (let b = 0; b + 1 < batch.starts.length; b++) {
    const part = <A extends { subarray(from: number, to: number): A }>(x: A): A =>
      x.subarray(batch.starts[b], batch.starts[b + 1]);
    const loss = sequenceLoss(tape, config, weights, part(batch.tokens), part(batch.targets), part(batch.weights));
    total = total.add(loss);
  }
  return total;
}

/** Adam (Kingma & Ba, 2015) on Values: a running mean of each gradient, divided by its running size. */
function adamStep(parameters: readonly Value[], m: Float64Array, v: Float64Array, hyper: Float64Array): void {
  const [learningRate, beta1, beta2, eps, decay, correction1, correction2] = hyper;
  parameters.forEach((p, i) => {
    m[i] = beta1 * m[i] + (1 - beta1) * p.grad;
    v[i] = beta2 * v[i] + (1 - beta2) * p.grad * p.grad;
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
