/**
 * A model placed on a backend, and the two programs recorded from it: one training step for a batch of a given shape, and one
 * decoding step for a number of sequences.
 * Refuses to know: optimizer settings, text. Invariant: recording happens once per shape; running allocates nothing.
 */
import { type Backend, type Op, type Tensor, view } from '../tensor/backend.js';
import { attention, attentionStep, crossEntropy, dropout, type KeyValueCache } from '../tensor/ops.js';
import { createTape, finish } from '../tensor/tape.js';
import type { ModelConfig } from './config.js';
import { dropoutPlaces, gpt, type ModelBuffers } from './gpt.js';
import { parameterTable } from './parameters.js';

/** Buffers of a model that learns. */
export interface TrainingBuffers extends ModelBuffers {
  readonly grads: Tensor; // [total]
  readonly m: Tensor; // [total] Adam's mean of gradients
  readonly v: Tensor; // [total] Adam's mean of squared gradients
  readonly hyper: Tensor; // [7]
  readonly norm: Tensor; // [1] of all gradients together
  readonly limit: Tensor; // [1] what the norm is clipped to, Infinity for not at all
  /** The keys of dropout, one for each place, and 1/(1 − rate). */
  readonly keys: Tensor; // int [places,3]
  readonly scale: Tensor; // [1]
}

/** The shape of a batch: what a training program is recorded for. */
export interface BatchShape {
  readonly rows: number; // R
  /** B, and how long the longest sequence may be; a single sequence has all rows. */
  readonly count: number;
  readonly longest: number;
  /** Whether some numbers are dropped on the way. */
  readonly dropout?: boolean;
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
  /** Up to the loss. */
  readonly forward: readonly Op[];
  /** What the activation of each layer gave. */
  readonly hidden: readonly Tensor[]; // [R,4C]
  /** Forward and backward, gradients left in `grads`. */
  readonly gradients: readonly Op[];
  /** The same, and the update; no update when the loss is not finite. */
  readonly step: readonly Op[];
  /** The same with the norm of the gradients found first and clipped; no update when the norm is not finite. */
  readonly clippedStep: readonly Op[];
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
  return {
    ...model,
    grads: buffer(),
    m: buffer(),
    v: buffer(),
    hyper: backend.alloc([7]),
    norm: backend.alloc([1]),
    limit: backend.alloc([1]),
    keys: backend.alloc([dropoutPlaces(model.config), 3], 'int'),
    scale: backend.alloc([1]),
  };
}

/** The update by the gradients in `grads`, which are clipped by their norm before. */
export function clippedUpdate({ params, m, v, hyper, norm, limit }: TrainingBuffers, grads: Tensor): Op[] {
  return [
    { op: 'gradNorm', grads, norm },
    { op: 'clip', grads, norm, limit },
    { op: 'adamw', params, grads, m, v, hyper, guard: norm },
  ];
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
  const logits = gpt(
    tape,
    model,
    tokens,
    positions,
    (on, _layer, qkv) => attention(on, model.config.nHead, sequences, qkv),
    shape.dropout ? (on, place, x) => dropout(on, dropoutPlace(model, place), x) : undefined,
  );
  const { loss } = crossEntropy(tape, logits, targets, weights);
  const { forward, backward } = finish(tape);

  const { params, grads, m, v, hyper } = model;
  const hidden = forward.flatMap((op) => (op.op === 'activation' ? [op.out] : []));
  const gradients: Op[] = [{ op: 'zero', x: grads }, ...forward, ...backward];
  const step: Op[] = [...gradients, { op: 'adamw', params, grads, m, v, hyper, guard: loss }];
  const clippedStep = [...gradients, ...clippedUpdate(model, grads)];
  return { tokens, positions, targets, weights, starts, loss, forward, hidden, gradients, step, clippedStep };
}

function dropoutPlace({ keys, scale }: TrainingBuffers, place: number) {
  return { key: view(keys, 3 * place, [3]), scale };
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
