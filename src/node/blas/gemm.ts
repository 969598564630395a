/**
 * One matrix product as a call of cblas_sgemm, on the caller's own memory.
 * Refuses to know: where the library is from. Invariant: nothing is called unless the shape fits the three views exactly, because a wrong
 * leading dimension would write over whatever lies behind.
 */
import type { Gemm, Product } from '../../backend/wasm/products.js';
import type { Library } from '../foreign.js';

const ROW_MAJOR = 101;
const NO_TRANSPOSE = 111;
const TRANSPOSE = 112;
/** Sizes are C ints. */
const MOST = 2 ** 31 - 1;

export const SGEMM =
  'void cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, const void *a, int lda, const void *b, int ldb, float beta, void *c, int ldc)';

type Sgemm = (
  order: number,
  transA: number,
  transB: number,
  m: number,
  n: number,
  k: number,
  alpha: number,
  a: Float32Array,
  lda: number,
  b: Float32Array,
  ldb: number,
  beta: number,
  c: Float32Array,
  ldc: number,
) => void;

/** @throws when the library has no cblas_sgemm. */
export function gemmOf(library: Library): Gemm {
  const sgemm = library.func(SGEMM) as unknown as Sgemm;
  return (product, a, b, c) => {
    requireFit(product, a, b, c);
    const { m, n, k, aTransposed, bTransposed, add } = product;
    const [transA, lda] = aTransposed ? [TRANSPOSE, m] : [NO_TRANSPOSE, k];
    const [transB, ldb] = bTransposed ? [TRANSPOSE, k] : [NO_TRANSPOSE, n];
    sgemm(ROW_MAJOR, transA, transB, m, n, k, 1, a, lda, b, ldb, add ? 1 : 0, c, n);
  };
}

/** @throws RangeError unless a is [m,k], b [k,n] and c [m,n], each to the last number. */
export function requireFit({ m, n, k }: Product, a: Float32Array, b: Float32Array, c: Float32Array): void {
  for (const size of [m, n, k]) {
    if (!Number.isInteger(size) || size < 1 || size > MOST) throw new RangeError(`product of ${m}·${n}·${k}: no sizes`);
  }
  if (a.length !== m * k || b.length !== k * n || c.length !== m * n) {
    throw new RangeError(
      `product of ${m}·${n}·${k} needs ${m * k}, ${k * n} and ${m * n} numbers, the views have ${a.length}, ${b.length} and ${c.length}`,
    );
  }
}

/** The same product as plain loops in f64: what a library's answers are compared with. */
export const plainGemm: Gemm = ({ m, n, k, aTransposed, bTransposed, add }, a, b, c) => {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = add ? (c[i * n + j] as number) : 0;
      for (let l = 0; l < k; l++) {
        sum += (a[aTransposed ? l * m + i : i * k + l] as number) * (b[bTransposed ? j * k + l : l * n + j] as number);
      }
      c[i * n + j] = sum;
    }
  }
};

/** Whether a library computes all kinds of products as they should be: a first call that finds out before it matters. */
export function isSound(gemm: Gemm): boolean {
  const [m, n, k] = [37, 29, 53];
  const numbers = (size: number, seed: number): Float32Array =>
    Float32Array.from({ length: size }, (_, i) => (((i + seed) * 7919) % 1009) / 1009 - 0.5);
  for (const aTransposed of [false, true]) {
    for (const bTransposed of [false, true]) {
      for (const add of [false, true]) {
        const product: Product = { m, n, k, aTransposed, bTransposed, add };
        const [a, b] = [numbers(m * k, 1), numbers(k * n, 2)];
        const [got, want] = [numbers(m * n, 3), numbers(m * n, 3)];
        gemm(product, a, b, got);
        plainGemm(product, a, b, want);
        if (!got.every((x, i) => Math.abs(x - (want[i] as number)) < 1e-5)) return false;
      }
    }
  }
  return true;
}
