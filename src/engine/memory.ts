/**
 * How much memory training will take, and how many threads its steps can use, found out before anything is taken: by recording a
 * training step on a backend that only counts.
 * Refuses to know: how much the machine has. Invariant: counts what the real backends allocate, because it runs the same recording.
 */
import { SHARED_WORK, type Threads } from '../backend/wasm/index.js';
import { workOf } from '../backend/wasm/work.js';
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { ModelConfig } from '../model/config.js';
import { allocModel, allocTraining, recordTraining } from '../model/program.js';
import { type Backend, sizeOf } from '../tensor/backend.js';
import type { Settings } from '../train/settings.js';
import type { BackendName } from './engine.js';
import { requireNames } from './options.js';
import { shapeOf } from './recorded-batch.js';

/** Bytes that training takes. */
export interface TrainingMemory {
  /** Bytes of parameters, gradients, Adam's moments, and the copies of weights that fast kernels keep. */
  readonly model: number;
  /** Bytes of everything that one step over a batch computes on the way. */
  readonly step: number;
}

/** Bytes of a number, and how many copies of the weights are kept in other layouts. */
const KINDS = {
  reference: { bytes: 8, copies: 0 },
  wasm: { bytes: 4, copies: 2 },
} as const;

/** What a multiply-add takes as Values: two of them, each with four numbers and two inputs, in V8 (test/memory.test.ts measures it). */
const VALUE_BYTES = 280;

/** What a run does besides that takes memory, or saves it. */
export interface TrainingExtras {
  /** Parts into which a batch is split; 1 if left out. */
  readonly accumulate?: number | undefined;
  /** Whether some numbers are dropped. */
  readonly dropout?: boolean | undefined;
}

/** Those of a run with these settings. */
export const extrasOf = ({ accumulate, dropout }: Pick<Settings, 'accumulate' | 'dropout'>): TrainingExtras => ({
  accumulate,
  dropout: dropout > 0,
});

/** For a batch of B sequences of at most `longest` tokens, all parts together. */
export function trainingMemory(
  backend: BackendName | 'auto',
  config: ModelConfig,
  B: number,
  longest: number,
  extras: TrainingExtras = {},
): TrainingMemory {
  requireNames('trainingMemory', extras, { accumulate: true, dropout: true });
  const { accumulate = 1, dropout = false } = extras;
  const counting = countingBackend();
  const model = allocTraining(counting, allocModel(counting, config));
  const parameters = model.table.total;
  const parts = Math.min(accumulate, B);
  const count = Math.ceil(B / parts); // sequences of the largest part
  if (parts > 1) counting.alloc([parameters]); // sum of the parts' gradients
  if (backend === 'value') return { model: parameters * VALUE_BYTES, step: parameters * count * longest * VALUE_BYTES };

  const { bytes, copies } = KINDS[backend === 'auto' ? 'wasm' : backend];
  const before = counting.count();
  const rows = count * longest;
  recordTraining(counting, model, { rows, count, longest, dropout });
  const scratch = copies === 0 ? 0 : 8 * config.nEmbd * rows; // operands of the largest product, packed
  return { model: (before + copies * parameters) * bytes, step: (counting.count() - before + scratch) * bytes };
}

/** How many of these threads the largest step can use: all of them, or one where it is too small to be shared. */
export function usefulThreads(
  threads: Threads | undefined,
  backend: BackendName,
  config: ModelConfig,
  B: number,
  longest: number,
  { accumulate, clip }: { readonly accumulate: number; readonly clip: number },
): number {
  if (threads === undefined || threads.count <= 1 || backend !== 'wasm') return 1;
  const counting = countingBackend();
  const model = allocTraining(counting, allocModel(counting, config));
  const count = Math.ceil(B / Math.min(accumulate, B)); // sequences of the largest part
  const starts = Int32Array.from({ length: count + 1 }, (_, b) => b * longest);
  const shape = shapeOf({ tokens: new Int32Array(count * longest), starts }, config.blockSize);
  const { gradients, step, clippedStep } = recordTraining(counting, model, shape);
  const largest = accumulate > 1 ? gradients : clip > 0 ? clippedStep : step; // the update of parts is a run of its own
  return workOf(largest) >= (threads.sharedWork ?? SHARED_WORK) ? threads.count : 1;
}

/** @throws MG_ENGINE_MEMORY when training would not fit, before anything is allocated. */
export function requireMemory(
  backend: BackendName | 'auto',
  config: ModelConfig,
  B: number,
  longest: number,
  extras: TrainingExtras = {},
): void {
  const { model, step } = trainingMemory(backend, config, B, longest, extras);
  const limit = backend === 'value' ? LIMITS.valueBytes : LIMITS.engineBytes;
  if (model + step <= limit) return;
  const megabytes = (bytes: number) => `${count(Math.ceil(bytes / 1e6))} MB`;
  throw new MicrogptError(
    'MG_ENGINE_MEMORY',
    `training needs ${megabytes(model + step)}: ${megabytes(model)} for the model and its optimizer, ${megabytes(step)} ` +
      `for a batch of ${B} × ${longest} tokens; the limit is ${megabytes(limit)}`,
    `lower the batch size, the context length, the width or the number of layers${wayOut(backend, B, extras)}`,
  );
}

function wayOut(backend: BackendName | 'auto', B: number, { accumulate = 1 }: TrainingExtras): string {
  const parts = accumulate < B ? ', or compute each batch in more parts (--grad-accum)' : '';
  return `${parts}${backend === 'value' ? '; the backends reference and wasm need far less' : ''}`;
}

/** Hands out addresses and computes nothing. */
function countingBackend(): Backend & { count(): number } {
  let used = 0;
  return {
    name: 'counting',
    precision: 'f32',
    alloc(shape, type = 'float') {
      const at = used;
      used += sizeOf(shape);
      return { at, shape, type };
    },
    mark: () => ({ float: used, int: 0 }),
    reset(mark) {
      used = mark.float;
    },
    write() {},
    read: (x) => new Float64Array(sizeOf(x.shape)),
    run() {},
    close() {},
    count: () => used,
  };
}
