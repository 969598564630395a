/**
 * --accelerate: matrix products by the system's BLAS, for whoever prefers speed to the same bits everywhere.
 * Invariant: nothing is loaded unless it is asked for; what cannot be used is one note, and the run goes on without.
 */

import { sha256 } from '../base/sha256.js';
import type { BackendName, NamedProducts } from '../engine/engine.js';
import { gainOf } from '../engine/gain.js';
import { openBlas } from '../node/blas/index.js';
import { gather, isFollower, type Ranks, share } from '../train/ranks.js';
import { note } from './output.js';

export const ACCELERATE = ['off', 'auto', 'blas'] as const;
export type Accelerate = (typeof ACCELERATE)[number];

export const ACCELERATE_HELP = 'matrix products by the system’s BLAS: off, auto, blas (faster, with bits of its own)';

/** Less than this is not worth other bits. */
const LEAST_GAIN = 1.2;

/**
 * The same among ranks: rank 0 decides whether it pays, since they measure differently, and the others take what they have. What each part
 * of a batch is computed by decides its bits, so a difference is said.
 */
export async function openProductsAmong(
  ranks: Ranks | undefined,
  how: Accelerate | undefined,
  backend: BackendName | 'auto',
  threads: number,
): Promise<NamedProducts | undefined> {
  if (ranks === undefined || how === undefined || how === 'off') return openProducts(how, backend, threads);
  const { transport } = ranks;
  const isFirst = !isFollower(ranks);
  const own = isFirst ? await openProducts(how, backend, threads) : undefined;
  const isOn = share(transport, Uint8Array.of(own === undefined ? 0 : 1))[0] === 1;
  const products = isFirst || !isOn ? own : await openProducts('blas', backend, threads);
  const name = products?.about ?? 'the Wasm kernels';
  const hash = Number.parseInt(sha256(new TextEncoder().encode(name)).slice(0, 12), 16);
  const all = gather(transport, Float64Array.of(hash));
  const others = [...all.keys()].filter((rank) => all[rank] !== all[0]);
  if (others.length > 0) {
    const who = others.length === 1 ? 'process' : 'processes';
    note(
      `${who} ${others.join(', ')} cannot have ${name}: the bits of this run depend on which process is on which machine`,
    );
  }
  return products;
}

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
