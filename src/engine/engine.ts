/**
 * One API over everything that can train and run a model: the scalar engine of the lesson, and the tensor engine on any backend.
 * Refuses to know: text, files, schedules. Parameters cross this border as one f64 array in the order of the parameter table.
 */

import { createReferenceBackend } from '../backend/reference/reference.js';
import { MicrogptError } from '../base/errors.js';
import type { Batch } from '../data/batches.js';
import type { ModelConfig } from '../model/config.js';
import type { Learner } from '../train/trainer.js';
import { createTensorEngine } from './tensor-engine.js';
import { createValueEngine } from './value-engine.js';

export interface Engine extends Learner {
  readonly backend: BackendName;
  readonly config: ModelConfig;
  /** Forward and backward without an update: the loss in nats, and the gradient of every parameter [total]. */
  gradients(batch: Batch): { readonly loss: number; readonly gradients: Float64Array };
  /** A copy of the parameters [total]. */
  parameters(): Float64Array;
  /** A place to read one sequence token by token. A new one starts at position 0 and sees the parameters as they are then. */
  decoder(): Decoder;
  close(): void;
}

export interface Decoder {
  /** Tokens read so far. */
  readonly position: number;
  /** Reads the next token and returns the logits [V] for the one after it; the array is overwritten by the next call. */
  next(token: number): Float64Array;
  /** Forgets everything read, to start a new sequence. */
  restart(): void;
}

export const BACKENDS = ['value', 'reference'] as const;
export type BackendName = (typeof BACKENDS)[number];

/** The fastest backend there is. */
export const DEFAULT_BACKEND: BackendName = 'reference';

/** @throws MG_TRAIN_BACKEND when there is no backend of that name. */
export function createEngine(name: BackendName | 'auto', config: ModelConfig, parameters: Float64Array): Engine {
  const chosen = name === 'auto' ? DEFAULT_BACKEND : name;
  switch (chosen) {
    case 'value':
      return createValueEngine(config, parameters);
    case 'reference':
      return createTensorEngine('reference', createReferenceBackend(), config, parameters);
    default:
      throw new MicrogptError(
        'MG_TRAIN_BACKEND',
        `there is no backend called ${String(chosen satisfies never)}`,
        `choose one of ${BACKENDS.join(', ')}, auto`,
      );
  }
}
