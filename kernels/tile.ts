/**
 * Register tiles of the matrix product: C[m,n] = from + A[m,K]·B[K,n] with m ≤ 4, n ≤ 8 (or one row of 32 columns).
 * Knows addresses and byte strides only; who packs what, and why, is the driver's business.
 * Invariant: every element is  from + a₀b₀ + a₁b₁ + …  in ascending k, one rounding per product and per sum, whichever tile computes it.
 * Tiles that walk k end each step with a way out of the loop: without it V8 joins the steps, hoists all their loads and spills them.
 * Eight accumulators at most: with more, V8 spills them and the speed halves.
 * `from` is what the sums start at: C itself (accumulate), a bias row (row stride 0), or a row of zeros (row stride 0).
 * Missing rows (m < 4) repeat row 0 and are not stored; missing columns read what follows in memory and are not stored.
 */
import { storeLanes } from './simd';

// @ts-ignore: decorator
@inline
function mad(a: v128, b: v128, c: v128): v128 {
  return f32x4.add(c, f32x4.mul(a, b));
}

// @ts-ignore: decorator
@inline
function storeRow(c: usize, lo: v128, hi: v128, n: i32): void {
  if (n == 8) {
    v128.store(c, lo);
    v128.store(c, hi, 16);
  } else {
    storeLanes(c, lo, n);
    storeLanes(c + 16, hi, n - 4);
  }
}

/** A row-major: a row every `as` bytes, k contiguous. B: a row of 8 every `bs` bytes. */
export function tileRows(
  a: usize, as: usize, b: usize, bs: usize, k: i32, from: usize, fs: usize, c: usize, cs: usize, m: i32, n: i32,
): void {
  let a0 = a;
  let a1 = m > 1 ? a + as : a;
  let a2 = m > 2 ? a + 2 * as : a;
  let a3 = m > 3 ? a + 3 * as : a;
  let f = from;
  let c00 = v128.load(f), c01 = v128.load(f, 16);
  if (m > 1) f += fs;
  let c10 = v128.load(f), c11 = v128.load(f, 16);
  if (m > 2) f += fs;
  let c20 = v128.load(f), c21 = v128.load(f, 16);
  if (m > 3) f += fs;
  let c30 = v128.load(f), c31 = v128.load(f, 16);
  let b0: v128, b1: v128, s: v128;
  for (;;) {
    b0 = v128.load(b); b1 = v128.load(b, 16); b += bs;
    s = v128.load_splat<f32>(a0); c00 = mad(s, b0, c00); c01 = mad(s, b1, c01);
    s = v128.load_splat<f32>(a1); c10 = mad(s, b0, c10); c11 = mad(s, b1, c11);
    s = v128.load_splat<f32>(a2); c20 = mad(s, b0, c20); c21 = mad(s, b1, c21);
    s = v128.load_splat<f32>(a3); c30 = mad(s, b0, c30); c31 = mad(s, b1, c31);
    if (--k == 0) break;
    b0 = v128.load(b); b1 = v128.load(b, 16); b += bs;
    s = v128.load_splat<f32>(a0, 4); c00 = mad(s, b0, c00); c01 = mad(s, b1, c01);
    s = v128.load_splat<f32>(a1, 4); c10 = mad(s, b0, c10); c11 = mad(s, b1, c11);
    s = v128.load_splat<f32>(a2, 4); c20 = mad(s, b0, c20); c21 = mad(s, b1, c21);
    s = v128.load_splat<f32>(a3, 4); c30 = mad(s, b0, c30); c31 = mad(s, b1, c31);
    if (--k == 0) break;
    a0 += 8; a1 += 8; a2 += 8; a3 += 8;
  }
  storeRow(c, c00, c01, n);
  if (m > 1) storeRow(c + cs, c10, c11, n);
  if (m > 2) storeRow(c + 2 * cs, c20, c21, n);
  if (m > 3) storeRow(c + 3 * cs, c30, c31, n);
}

/** A k-major: the four rows of a k side by side, a k every `as` bytes (A is the transpose of a row-major matrix, or packed in fours). */
export function tileColumns(
  a: usize, as: usize, b: usize, bs: usize, k: i32, from: usize, fs: usize, c: usize, cs: usize, m: i32, n: i32,
): void {
  let f = from;
  let c00 = v128.load(f), c01 = v128.load(f, 16);
  if (m > 1) f += fs;
  let c10 = v128.load(f), c11 = v128.load(f, 16);
  if (m > 2) f += fs;
  let c20 = v128.load(f), c21 = v128.load(f, 16);
  if (m > 3) f += fs;
  let c30 = v128.load(f), c31 = v128.load(f, 16);
  let b0: v128, b1: v128, s: v128;
  for (;;) {
    b0 = v128.load(b); b1 = v128.load(b, 16); b += bs;
    s = v128.load_splat<f32>(a); c00 = mad(s, b0, c00); c01 = mad(s, b1, c01);
    s = v128.load_splat<f32>(a, 4); c10 = mad(s, b0, c10); c11 = mad(s, b1, c11);
    s = v128.load_splat<f32>(a, 8); c20 = mad(s, b0, c20); c21 = mad(s, b1, c21);
    s = v128.load_splat<f32>(a, 12); c30 = mad(s, b0, c30); c31 = mad(s, b1, c31);
    a += as;
    if (--k == 0) break;
    b0 = v128.load(b); b1 = v128.load(b, 16); b += bs;
    s = v128.load_splat<f32>(a); c00 = mad(s, b0, c00); c01 = mad(s, b1, c01);
    s = v128.load_splat<f32>(a, 4); c10 = mad(s, b0, c10); c11 = mad(s, b1, c11);
    s = v128.load_splat<f32>(a, 8); c20 = mad(s, b0, c20); c21 = mad(s, b1, c21);
    s = v128.load_splat<f32>(a, 12); c30 = mad(s, b0, c30); c31 = mad(s, b1, c31);
    a += as;
    if (--k == 0) break;
  }
  storeRow(c, c00, c01, n);
  if (m > 1) storeRow(c + cs, c10, c11, n);
  if (m > 2) storeRow(c + 2 * cs, c20, c21, n);
  if (m > 3) storeRow(c + 3 * cs, c30, c31, n);
}

/** One row of up to 32 columns that lie side by side in B, a k every `bs` bytes. What one-token decoding runs on. */
export function tileWide(a: usize, b: usize, bs: usize, k: i32, from: usize, c: usize, n: i32): void {
  let c0 = v128.load(from), c1 = v128.load(from, 16), c2 = v128.load(from, 32), c3 = v128.load(from, 48);
  let c4 = v128.load(from, 64), c5 = v128.load(from, 80), c6 = v128.load(from, 96), c7 = v128.load(from, 112);
  let s: v128;
  for (;;) {
    s = v128.load_splat<f32>(a);
    c0 = mad(s, v128.load(b), c0); c1 = mad(s, v128.load(b, 16), c1);
    c2 = mad(s, v128.load(b, 32), c2); c3 = mad(s, v128.load(b, 48), c3);
    if (k < 0) break; // never: keeps V8 from hoisting all eight loads at once, which spills an accumulator (12 cycles a step instead of 4)
    c4 = mad(s, v128.load(b, 64), c4); c5 = mad(s, v128.load(b, 80), c5);
    c6 = mad(s, v128.load(b, 96), c6); c7 = mad(s, v128.load(b, 112), c7);
    b += bs;
    if (--k == 0) break;
    s = v128.load_splat<f32>(a, 4);
    c0 = mad(s, v128.load(b), c0); c1 = mad(s, v128.load(b, 16), c1);
    c2 = mad(s, v128.load(b, 32), c2); c3 = mad(s, v128.load(b, 48), c3);
    if (k < 0) break;
    c4 = mad(s, v128.load(b, 64), c4); c5 = mad(s, v128.load(b, 80), c5);
    c6 = mad(s, v128.load(b, 96), c6); c7 = mad(s, v128.load(b, 112), c7);
    b += bs;
    if (--k == 0) break;
    a += 8;
  }
  if (n >= 32) {
    v128.store(c, c0); v128.store(c, c1, 16); v128.store(c, c2, 32); v128.store(c, c3, 48);
    v128.store(c, c4, 64); v128.store(c, c5, 80); v128.store(c, c6, 96); v128.store(c, c7, 112);
    return;
  }
  storeLanes(c, c0, n); storeLanes(c + 16, c1, n - 4); storeLanes(c + 32, c2, n - 8); storeLanes(c + 48, c3, n - 12);
  storeLanes(c + 64, c4, n - 16); storeLanes(c + 80, c5, n - 20); storeLanes(c + 96, c6, n - 24); storeLanes(c + 112, c7, n - 28);
}
