/**
 * One API over everything that can train and run a model: the scalar engine of the lesson, and the tensor engine on any backend.
 * Refuses to know: text, files, schedules. Parameters cross this border as one f64 array in the order of the parameter table.
 */
import type { Threads } from '../backend/wasm/index.js';
import type { Products } from '../backend/wasm/products.js';
import type { Batch } from '../data/batches.js';
import type { ModelConfig } from '../model/config.js';
import type { Dropout, Learner } from '../train/learner.js';
import type { Look } from './look.js';

/** A model on a backend: trains, evaluates, reads. */
export interface Engine extends Learner {
  readonly backend: BackendName;
  readonly config: ModelConfig;
  /**
   * Forward and backward without an update: the loss in nats, and the gradient of every parameter [total]. With dropout, what a
   * part of a step drops; the first if left out.
   */
  gradients(
    batch: Batch,
    dropout?: Dropout | null,
    part?: number,
  ): { readonly loss: number; readonly gradients: Float64Array };
  /** A copy of the parameters [total]. */
  parameters(): Float64Array;
  /** Copies of Adam's running means of gradients and of their squares [total]. */
  moments(): { readonly m: Float64Array; readonly v: Float64Array };
  /** Goes back to what `parameters` and `moments` gave, to the bit. */
  restore(state: EngineState): void;
  /** A place to read sequences token by token, side by side; 1 if left out. It sees the parameters as they are when it reads. */
  decoder(sequences?: number): Decoder;
  /** Reads a sequence of at most `blockSize` tokens and shows what the model does. @throws MG_TRAIN_BACKEND on the value backend */
  look(tokens: readonly number[]): Look;
  close(): void;
}

/** Parameters and Adam's moments, in the order of the parameter table. */
export interface EngineState {
  readonly parameters: Float64Array; // [total]
  readonly m: Float64Array;
  readonly v: Float64Array;
}

/** Reads sequences token by token, side by side. */
export interface Decoder {
  /** S: how many sequences, numbered from 0. */
  readonly sequences: number;
  /** Tokens read of a sequence so far. */
  position(sequence: number): number;
  /**
   * Reads rows [R]: tokens[r] is the next token of sequence of[r]. A sequence may have several rows, in their order (a prompt).
   * Returns logits, row r [V] at r·V, for the token that follows; the array is overwritten by the next call.
   */
  read(tokens: ArrayLike<number>, of: ArrayLike<number>): Float64Array;
  /** Forgets what was read of a sequence beyond its first `keep` tokens; all of it if left out. */
  restart(sequence: number, keep?: number): void;
  /** Gives its memory back to the engine, for the next decoder of as many sequences. It must not be used any more. */
  close(): void;
}

/** What can compute: Values one by one (to learn from), f64 loops (to compare with), f32 SIMD in Wasm (the default). */
export const BACKENDS = ['value', 'reference', 'wasm'] as const;
/** The name of a backend. */
export type BackendName = (typeof BACKENDS)[number];

/** The fastest backend there is. */
export const DEFAULT_BACKEND: BackendName = 'wasm';

export type { StartThread } from '../backend/wasm/pool.js';
export type { Products } from '../backend/wasm/products.js';

/** Products by somebody with a name, which a run remembers. */
export interface NamedProducts extends Products {
  readonly about?: string | undefined;
}
export type { Threads };
