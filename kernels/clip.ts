/**
 * The norm of all gradients, and clipping by it.
 * Knows lengths only. Invariant: squares are summed in f64 within blocks of 4,096 and the blocks in ascending order, whoever sums them, so
 * any number of threads gives the same norm; f64 holds the square of any f32. NaN and infinity come through: no branch hides them.
 */
import { storeLanes } from './simd';

/** sums[block] (f64) = Σ x² of each block. Range: blocks. */
export function squares(x: usize, sums: usize, n: i32, begin: i32, end: i32): void {
  for (let block = begin; block < end; block++) {
    let p = x + (<usize>block << 14);
    let low = f64x2.splat(0), high = f64x2.splat(0);
    let left = min(4096, n - (block << 12));
    for (; left >= 4; left -= 4) {
      const v = v128.load(p);
      const a = f64x2.promote_low_f32x4(v), b = f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 0, 1));
      low = f64x2.add(low, f64x2.mul(a, a));
      high = f64x2.add(high, f64x2.mul(b, b));
      p += 16;
    }
    const both = f64x2.add(low, high);
    let s = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
    for (; left > 0; left--) {
      const v = <f64>load<f32>(p);
      s += v * v;
      p += 4;
    }
    store<f64>(sums + (<usize>block << 3), s);
  }
}

/** norm = √Σ sums, in the order of the blocks. */
export function norm(sums: usize, out: usize, blocks: i32): void {
  let s: f64 = 0;
  for (let block = 0; block < blocks; block++) s += load<f64>(sums + (<usize>block << 3));
  store<f32>(out, <f32>sqrt<f64>(s));
}

/** x ·= min(1, limit / norm), when the norm is finite. Range: elements, from a multiple of 4. */
export function clip(x: usize, norm: usize, limit: usize, begin: i32, end: i32): void {
  const length = load<f32>(norm);
  if (!(length < Infinity)) return; // what is wrong can then be looked for; AdamW is guarded by the norm
  const scale = min<f32>(1, load<f32>(limit) / length);
  if (scale == 1) return; // nothing would change
  const factor = f32x4.splat(scale);
  x += <usize>begin << 2;
  for (let n = end - begin; n > 0; n -= 4) {
    storeLanes(x, f32x4.mul(v128.load(x), factor), n);
    x += 16;
  }
}
