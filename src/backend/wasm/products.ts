/**
 * Matrix products that someone else may compute: what a product is, and how those of `linear` are said in row-major matrices.
 * Refuses to know who computes them. Invariant: a product touches the numbers of its three views and no others, so a function that keeps
 * to the views' lengths cannot reach the rest of the memory.
 */
import type { Tensor } from '../../tensor/backend.js';

const bytesAt = (x: Tensor): number => x.at * 4;

/** c [m,n] = a·b, or c += a·b. A matrix that is `transposed` lies in memory the other way round. No gaps between rows. */
export interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly aTransposed: boolean; // a lies as [k,m] instead of [m,k]
  readonly bTransposed: boolean; // b lies as [n,k] instead of [k,n]
  readonly add: boolean;
}

export type Gemm = (product: Product, a: Float32Array, b: Float32Array, c: Float32Array) => void;

/** Products of at least so many multiply-adds and rows go to `gemm`, the rest to the kernels. */
export interface Products {
  readonly gemm: Gemm;
  readonly least: number;
  readonly leastRows: number;
}

/** A product and the byte addresses of its matrices. */
export interface Placed {
  readonly product: Product;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** out [R,O] (+)= x [R,I] · w [O,I]ᵀ */
export function forwards(x: Tensor, w: Tensor, out: Tensor, R: number, I: number, O: number, add: boolean): Placed {
  const product = { m: R, n: O, k: I, aTransposed: false, bTransposed: true, add };
  return { product, a: bytesAt(x), b: bytesAt(w), c: bytesAt(out) };
}

/** dX [R,I] (+)= dOut [R,O] · w [O,I] */
export function toInputs(dOut: Tensor, w: Tensor, dX: Tensor, R: number, I: number, O: number, add: boolean): Placed {
  const product = { m: R, n: I, k: O, aTransposed: false, bTransposed: false, add };
  return { product, a: bytesAt(dOut), b: bytesAt(w), c: bytesAt(dX) };
}

/** dW [O,I] (+)= dOut [R,O]ᵀ · x [R,I] */
export function toWeights(dOut: Tensor, x: Tensor, dW: Tensor, R: number, I: number, O: number, add: boolean): Placed {
  const product = { m: O, n: I, k: R, aTransposed: true, bTransposed: false, add };
  return { product, a: bytesAt(dOut), b: bytesAt(x), c: bytesAt(dW) };
}

/** Computes it, on views of the memory as it is now: growing replaces the buffer. */
export function compute({ product, a, b, c }: Placed, gemm: Gemm, buffer: ArrayBuffer): void {
  const { m, n, k } = product;
  gemm(
    product,
    new Float32Array(buffer, a, m * k),
    new Float32Array(buffer, b, k * n),
    new Float32Array(buffer, c, m * n),
  );
}
