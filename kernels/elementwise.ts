/**
 * zero, copy, add and the sum of columns.
 * Knows lengths only. Invariant: elements do not meet, except in `sumColumns`, which adds the rows in ascending order.
 * Ranges are in elements and begin at a multiple of 4.
 */
import { storeLanes } from './simd';

export function zero(x: usize, begin: i32, end: i32): void {
  let p = x + (<usize>begin << 2);
  const n = end - begin;
  if (n > 256) {
    memory.fill(p, 0, <usize>n << 2);
    return;
  }
  const z = f32x4.splat(0);
  let i = n;
  for (; i >= 4; i -= 4) {
    v128.store(p, z);
    p += 16;
  }
  storeLanes(p, z, i);
}

/** out = a + b; with out = a it accumulates. */
export function add(a: usize, b: usize, out: usize, begin: i32, end: i32): void {
  const at = <usize>begin << 2;
  a += at; b += at; out += at;
  let i = end - begin;
  for (; i >= 4; i -= 4) {
    v128.store(out, f32x4.add(v128.load(a), v128.load(b)));
    a += 16; b += 16; out += 16;
  }
  if (i > 0) storeLanes(out, f32x4.add(v128.load(a), v128.load(b)), i);
}

export function copy(x: usize, out: usize, begin: i32, end: i32): void {
  const at = <usize>begin << 2;
  x += at; out += at;
  for (let i = end - begin; i > 0; i -= 4) {
    storeLanes(out, v128.load(x), i);
    x += 16; out += 16;
  }
}

/** into[c] += Σ_r x[r][c]; `fresh`: into counts as 0 whatever it holds. Range: columns. */
export function sumColumns(x: usize, into: usize, rows: i32, columns: i32, fresh: bool, begin: i32, end: i32): void {
  const row = <usize>columns << 2;
  for (let c = begin; c < end; c += 4) {
    let p = x + (<usize>c << 2);
    const to = into + (<usize>c << 2);
    let s = fresh ? f32x4.splat(0) : v128.load(to);
    for (let r = 0; r < rows; r++) {
      s = f32x4.add(s, v128.load(p));
      p += row;
    }
    storeLanes(to, s, end - c);
  }
}
