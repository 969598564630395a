/**
 * A model placed on a backend, and the two programs recorded from it: one training step for a batch of a given shape, and one
 * decoding step for a number of sequences.
 * Refuses to know: optimizer settings, text. Invariant: recording happens once per shape; running allocates nothing.
 */
import type { Backend, Op, Tensor } from '../tensor/backend.js';
import { attention, attentionStep, crossEntropy, type KeyValueCache } from '../tensor/ops.js';
import { createTape, finish } from '../tensor/tape.js';
import type { ModelConfig } from './config.js';
import { gpt, type ModelBuffers } from './gpt.js';
import { parameterTable } from './parameters.js';

/** Buffers of a model that learns. */
export interface TrainingBuffers extends ModelBuffers {
  readonly grads: Tensor; // [total]
  readonly m: Tensor; // [total] Adam's mean of gradients
  readonly v: Tensor; // [total] Adam's mean of squared gradients
  readonly hyper: Tensor; // [7]
}

/** The shape of a batch: what a training program is recorded for. */
export interface BatchShape {
  readonly rows: number; // R
  /** B, and how long the longest sequence may be; a single sequence has all rows. */
  readonly count: number;
  readonly longest: number;
}

/** Everything that one training step reads and writes. */
export interface TrainingProgram {
  readonly tokens: Tensor; // int [R]
  readonly positions: Tensor; // int [R]
  readonly targets: Tensor; // int [R]
  readonly weights: Tensor; // [R]
  /** int [B+1]; null when there is one sequence. */
  readonly starts: Tensor | null;
  readonly loss: Tensor; // [1]
  /** Forward and backward, gradients left in `grads`. */
  readonly gradients: readonly Op[];
  /** The same, and the update. */
  readonly step: readonly Op[];
}

/** One step of decoding: R rows, each a token of one of the cached sequences. */
export interface DecodingProgram {
  readonly tokens: Tensor; // int [R]
  readonly positions: Tensor; // int [R]
  readonly sequences: Tensor; // int [R]
  readonly logits: Tensor; // [R,V]
  readonly step: readonly Op[];
}

export function allocModel(backend: Backend, config: ModelConfig): ModelBuffers {
  const table = parameterTable(config);
  return { config, table, params: backend.alloc([table.total]), grads: null };
}

/** What a model needs besides to learn. */
export function allocTraining(backend: Backend, model: ModelBuffers): TrainingBuffers {
  const buffer = () => backend.alloc([model.table.total]);
  return { ...model, grads: buffer(), m: buffer(), v: buffer(), hyper: backend.alloc([7]) };
}

/** Records a training step for batches of one shape. */
export function recordTraining(backend: Backend, model: TrainingBuffers, shape: BatchShape): TrainingProgram {
  const { rows, count, longest } = shape;
  const tokens = backend.alloc([rows], 'int');
  const positions = backend.alloc([rows], 'int');
  const targets = backend.alloc([rows], 'int');
  const weights = backend.alloc([rows]);
  const starts = count === 1 ? null : backend.alloc([count + 1], 'int');
  const sequences = starts === null ? { count, longest: rows } : { count, longest, starts };

  const tape = createTape(backend, true);
  const logits = gpt(tape, model, tokens, positions, (on, _layer, qkv) =>
    attention(on, model.config.nHead, sequences, qkv),
  );
  const { loss } = crossEntropy(tape, logits, targets, weights);
  const { forward, backward } = finish(tape);

  const { params, grads, m, v, hyper } = model;
  const gradients: Op[] = [{ op: 'zero', x: grads }, ...forward, ...backward];
  const step: Op[] = [...gradients, { op: 'adamw', params, grads, m, v, hyper }];
  return { tokens, positions, targets, weights, starts, loss, gradients, step };
}

/** Caches of keys and values for S sequences, one for each layer. */
export function allocCaches(backend: Backend, { blockSize, nEmbd, nLayer }: ModelConfig, S: number): KeyValueCache[] {
  const cache = () => backend.alloc([S, blockSize, nEmbd]);
  return Array.from({ length: nLayer }, () => ({ keys: cache(), values: cache() }));
}

/** Records a decoding step of R rows over the given caches. */
export function recordDecoding(
  backend: Backend,
  model: ModelBuffers,
  caches: readonly KeyValueCache[],
  rows: number,
): DecodingProgram {
  const [tokens, positions, sequences] = [1, 2, 3].map(() => backend.alloc([rows], 'int'));
  const tape = createTape(backend, false);
  const logits = gpt(tape, { ...model, grads: null }, tokens, positions, (on, layer, qkv) =>
    attentionStep(on, model.config.nHead, qkv, positions, sequences, caches[layer]),
  );
  return { tokens, positions, sequences, logits: logits.value, step: finish(tape).forward };
}
