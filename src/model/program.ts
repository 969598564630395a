/**
 * A model placed on a backend, and the two programs recorded from it: one training step for a batch of a given shape, and one
 * decoding step for a number of sequences.
 * Refuses to know: optimizer settings, text. Invariant: recording happens once per shape; running allocates nothing.
 */
import type { Backend, Op, Tensor } from '../tensor/backend.js';
import { attention, attentionStep, crossEntropy } from '../tensor/ops.js';
import { createTape, finish } from '../tensor/tape.js';
import type { ModelConfig } from './config.js';
import { gpt, type ModelBuffers } from './gpt.js';
import { type ParameterTable, parameterTable } from './parameters.js';

/** Buffers of a model that learns. */
export interface TrainingBuffers extends ModelBuffers {
  readonly grads: Tensor; // [total]
  readonly m: Tensor; // [total] Adam's mean of gradients
  readonly v: Tensor; // [total] Adam's mean of squared gradients
  readonly hyper: Tensor; // [7]
}

/** Everything that one training step reads and writes. */
export interface TrainingProgram {
  readonly tokens: Tensor; // int [R]
  readonly targets: Tensor; // int [R]
  readonly weights: Tensor; // [R]
  readonly loss: Tensor; // [1]
  readonly logits: Tensor; // [R,V]
  /** Forward and backward, gradients left in `grads`. */
  readonly gradients: readonly Op[];
  /** The same, and the update. */
  readonly step: readonly Op[];
}

export interface DecodingProgram {
  readonly tokens: Tensor; // int [S]
  readonly positions: Tensor; // int [S]
  readonly logits: Tensor; // [S,V]
  readonly step: readonly Op[];
}

export function allocInference(backend: Backend, config: ModelConfig): ModelBuffers {
  const table: ParameterTable = parameterTable(config);
  return { config, table, params: backend.alloc([table.total]), grads: null };
}

export function allocTraining(backend: Backend, config: ModelConfig): TrainingBuffers {
  const table = parameterTable(config);
  const buffer = () => backend.alloc([table.total]);
  return { config, table, params: buffer(), grads: buffer(), m: buffer(), v: buffer(), hyper: backend.alloc([7]) };
}

/** Records a training step over B sequences of T tokens. */
export function recordTraining(backend: Backend, model: TrainingBuffers, B: number, T: number): TrainingProgram {
  const rows = B * T;
  const tokens = backend.alloc([rows], 'int');
  const targets = backend.alloc([rows], 'int');
  const positions = backend.alloc([rows], 'int');
  const weights = backend.alloc([rows]);
  backend.write(
    positions,
    Int32Array.from({ length: rows }, (_, r) => r % T),
  );

  const tape = createTape(backend, true);

  const logits = gpt(tape, model, tokens, positions, (on, _layer, qkv) => attention(on, model.config.nHead, B, qkv));
  const { loss } = crossEntropy(tape, logits, targets, weights);
  const { forward, backward } = finish(tape);

  const { params, grads, m, v, hyper } = model;
  const gradients: Op[] = [{ op: 'zero', x: grads }, ...forward, ...backward];
  const step: Op[] = [...gradients, { op: 'adamw', params, grads, m, v, hyper }];
  return { tokens, targets, weights, loss, logits: logits.value, gradients, step };
}

/** Records a decoding step for S sequences side by side, with their caches of keys and values. */
export function recordDecoding(backend: Backend, model: ModelBuffers, S: number): DecodingProgram {
  const { blockSize: N, nEmbd: C, nHead, nLayer } = model.config;
  const tokens = backend.alloc([S], 'int');
  const positions = backend.alloc([S], 'int');
  const cache = () => Array.from({ length: nLayer }, () => backend.alloc([S, N, C]));
  const keys = cache();
  const values = cache();

  const tape = createTape(backend, false);
  const logits = gpt(tape, { ...model, grads: null }, tokens, positions, (on, layer, qkv) =>
    attentionStep(on, nHead, qkv, positions, keys[layer], values[layer]),
  );
  return { tokens, positions, logits: logits.value, step: finish(tape).forward };
}
