/**
 * Which engine serves a backend's name.
 * Refuses to know: text, files, schedules. Invariant: parameters come in the order of the parameter table, as many as the configuration has.
 */
import { createReferenceBackend } from '../backend/reference/reference.js';
import { createWasmBackend } from '../backend/wasm/index.js';
import { MicrogptError } from '../base/errors.js';
import type { ModelConfig } from '../model/config.js';
import { parameterTable } from '../model/parameters.js';
import type { Ranks } from '../train/ranks.js';
import { BACKENDS, type BackendName, DEFAULT_BACKEND, type Engine, type Products, type Threads } from './engine.js';
import { requireThreads } from './options.js';
import { createTensorEngine } from './tensor-engine.js';
import { createValueEngine } from './value-engine.js';

export interface EngineOptions {
  /** Lets the wasm backend share large work among threads, which the host starts. The results are the same bits. */
  readonly threads?: Threads | undefined;
  /** Lets the wasm backend have large matrix products computed by the host's BLAS. The results are then those of that library. */
  readonly products?: Products | undefined;
  /** The processes that train this model together. */
  readonly ranks?: Ranks | undefined;
}

/** @throws MG_TRAIN_BACKEND when there is no backend of that name; MG_OPTION_VALUE when `threads` are none that a host has made. */
export function createEngine(
  name: BackendName | 'auto',
  config: ModelConfig,
  parameters: Float64Array,
  { threads, products, ranks }: EngineOptions = {},
): Engine {
  requireThreads(threads);
  const { total } = parameterTable(config);
  if (parameters.length !== total) {
    const message = `${parameters.length} parameters were given, this model has ${total}`;
    throw new MicrogptError('MG_OPTION_VALUE', message, 'give parameters that belong to the configuration');
  }
  const chosen = name === 'auto' ? DEFAULT_BACKEND : name;
  switch (chosen) {
    case 'value':
      if (ranks !== undefined) {
        const message = 'the value backend computes in one process, not in several';
        throw new MicrogptError('MG_TRAIN_BACKEND', message, 'leave out mpirun, or choose wasm or reference');
      }
      return createValueEngine(config, parameters);
    case 'reference':
      return createTensorEngine('reference', createReferenceBackend(), config, parameters, ranks);
    case 'wasm':
      return createTensorEngine(
        'wasm',
        createWasmBackend({ products, ...(threads ? { threads } : {}) }),
        config,
        parameters,
        ranks,
      );
    default:
      throw noBackend(chosen satisfies never);
  }
}

/** @throws MG_TRAIN_BACKEND */
export function requireBackend(name: string): void {
  if (!BACKENDS.some((backend) => backend === name)) throw noBackend(name);
}

const noBackend = (name: string): MicrogptError =>
  new MicrogptError(
    'MG_TRAIN_BACKEND',
    `there is no backend called ${String(name)}`,
    `choose one of ${BACKENDS.join(', ')}, auto`,
  );
