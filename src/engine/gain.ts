/**
 * How much faster a product is on the host's BLAS than on the kernels, measured in a few milliseconds on one thread each.
 * Refuses to know: which library it is.
 */
import { createWasmBackend } from '../backend/wasm/index.js';
import type { Products } from '../backend/wasm/products.js';
import { type Clock, measure } from './measure.js';

/** So small that a library leaves it to one thread. */
const SIZE = 64;

export interface Gain {
  /** GFLOP/s. */
  readonly kernels: number;
  readonly library: number;
}

export function gainOf(products: Products, now: Clock): Gain {
  return { kernels: speed(undefined, now), library: speed({ ...products, least: 0, leastRows: 0 }, now) };
}

function speed(products: Products | undefined, now: Clock): number {
  const backend = createWasmBackend({ products, maximumMiB: 16 });
  const square = () => backend.alloc([SIZE, SIZE]);
  const ops = [{ op: 'linear', x: square(), w: square(), bias: null, out: square() }] as const;
  const { best, units } = measure(
    (n) => {
      for (let i = 0; i < n; i++) backend.run(ops);
    },
    { now, runs: 4, runMs: 2 },
  );
  backend.close();
  return (2 * SIZE ** 3 * units) / best / 1e9;
}
