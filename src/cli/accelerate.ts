/**
 * --accelerate: matrix products by the system's BLAS, for whoever prefers speed to the same bits everywhere.
 * Invariant: nothing is loaded unless it is asked for; what cannot be used is one note, and the run goes on without.
 */
import type { BackendName, NamedProducts } from '../engine/engine.js';
import { gainOf } from '../engine/gain.js';
import { openBlas } from '../node/blas/index.js';
import { note } from './output.js';

export const ACCELERATE = ['off', 'auto', 'blas'] as const;
export type Accelerate = (typeof ACCELERATE)[number];

export const ACCELERATE_HELP = 'matrix products by the system’s BLAS: off, auto, blas (faster, with bits of its own)';

/** Less than this is not worth other bits. */
const LEAST_GAIN = 1.2;

/** `auto` takes what is there and pays; `blas` what is there. */
export async function openProducts(
  how: Accelerate | undefined,
  backend: BackendName | 'auto',
  threads: number,
): Promise<NamedProducts | undefined> {
  if (how === undefined || how === 'off') return undefined;
  if (backend !== 'auto' && backend !== 'wasm') {
    note(`--accelerate ${how} has no effect: it serves the wasm backend, not ${backend}`);
    return undefined;
  }
  const blas = await openBlas({ threads });
  if ('missing' in blas) {
    note(`--accelerate ${how}: ${blas.missing}. The Wasm kernels compute instead (docs/accelerate.md)`);
    return undefined;
  }
  const { kernels, library } = gainOf(blas.found, () => performance.now());
  const gain = library / kernels;
  const speeds = `${blas.found.about}: ${gain.toFixed(1)} times the speed of the Wasm kernels (${Math.round(library)} against ${Math.round(kernels)} GFLOP/s a thread)`;
  if (how === 'auto' && gain < LEAST_GAIN) {
    note(`--accelerate auto: ${speeds}. The Wasm kernels compute instead`);
    return undefined;
  }
  note(`matrix products by ${speeds}; the same seed gives other bits on another machine`);
  return blas.found;
}
