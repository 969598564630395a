/**
 * What the tests of the Wasm backend share: fixed pseudo-random inputs, and one op run on one backend with guard words around its tensors.
 */
import { expect } from 'vitest';
import { createReferenceBackend } from '../src/backend/reference/reference.js';
import { createWasmBackend } from '../src/backend/wasm/index.js';
import type { Backend, Op, Tensor } from '../src/tensor/backend.js';

export const U = 2 ** -24;
export const EDGES = [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32, 33];

/** xorshift32: small, fixed, and not the engine's own generator. */
function noise(seed: number): () => number {
  let s = seed | 1;
  return () => {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    return (s >>> 0) / 2 ** 31 - 1;
  };
}

export function values(n: number, seed: number): Float32Array {
  const next = noise(seed * 7919 + 17);
  return Float32Array.from({ length: n }, next);
}

export type Inputs = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly values: ArrayLike<number>; readonly int?: boolean }>
>;

/** Runs one op on a backend over fresh tensors and returns what they hold afterwards; guard words around them must survive. */
export function runOn(
  backend: Backend,
  inputs: Inputs,
  ops: (t: Record<string, Tensor>) => readonly Op[],
): Record<string, Float64Array> {
  const mark = backend.mark();
  const tensors: Record<string, Tensor> = {};
  const guards: Tensor[] = [];
  for (const [name, { shape, values, int }] of Object.entries(inputs)) {
    const x = backend.alloc(shape, int ? 'int' : 'float');
    backend.write(x, values);
    tensors[name] = x;
    const guard = backend.alloc([3]);
    backend.write(guard, [12345, 12345, 12345]);
    guards.push(guard);
  }
  backend.run(ops(tensors));
  const out = Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, backend.read(x)]));
  for (const guard of guards) expect([...backend.read(guard)]).toEqual([12345, 12345, 12345]);
  backend.reset(mark);
  return out;
}

/** What the suites test; `testInstead` has them test another one. */
export let wasm: Backend = createWasmBackend();
export function testInstead(backend: Backend): void {
  wasm = backend;
}
export const reference = createReferenceBackend();

export function expectClose(name: string, got: Float64Array, want: Float64Array, bound: (i: number) => number): void {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < got.length; i++) {
    const error = Math.abs((got[i] as number) - (want[i] as number));
    if (!(error <= bound(i)))
      throw new Error(`${name}[${i}]: ${got[i]} is not ${want[i]}: error ${error} > ${bound(i)}`);
  }
}
