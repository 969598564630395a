/**
 * Inverted dropout: out = x·mask/(1 − p), and the gradient's way back, which is the same product.
 * Knows no model. Invariant: whether an element is kept depends on the key and the element's index alone (src/base/dropout-mask.ts has
 * the function), so threads share elements as they like. `key` is three words: two of key, and the threshold below which a hash drops.
 * Ranges are in elements and begin at a multiple of 4.
 */
import { storeLanes } from './simd';

// @ts-ignore: decorator
@inline
function mix(x: v128): v128 {
  let h = v128.xor(x, i32x4.shr_u(x, 16));
  h = i32x4.mul(h, i32x4.splat(0x7feb352d));
  h = v128.xor(h, i32x4.shr_u(h, 15));
  h = i32x4.mul(h, i32x4.splat(0x846ca68b));
  return v128.xor(h, i32x4.shr_u(h, 16));
}

/** The factor of elements i: `scale` where they are kept, 0 where they are dropped. NaN times 0 stays NaN. */
// @ts-ignore: decorator
@inline
function factors(key: usize, scale: v128, i: v128): v128 {
  const h = mix(v128.xor(mix(v128.xor(i, v128.load_splat<i32>(key))), v128.load_splat<i32>(key, 4)));
  return v128.and(scale, i32x4.ge_u(h, v128.load_splat<i32>(key, 8)));
}

export function dropout(x: usize, key: usize, scale: usize, out: usize, begin: i32, end: i32): void {
  const at = <usize>begin << 2;
  x += at; out += at;
  const kept = v128.load_splat<f32>(scale);
  let i = i32x4.add(i32x4.splat(begin), i32x4(0, 1, 2, 3));
  for (let n = end - begin; n > 0; n -= 4) {
    storeLanes(out, f32x4.mul(v128.load(x), factors(key, kept, i)), n);
    i = i32x4.add(i, i32x4.splat(4));
    x += 16; out += 16;
  }
}

/** dX += dOut·mask/(1 − p); `fresh`: dX counts as 0 whatever it holds. */
export function dropoutBackward(dOut: usize, key: usize, scale: usize, dX: usize, fresh: bool, begin: i32, end: i32): void {
  if (fresh) {
    dropout(dOut, key, scale, dX, begin, end);
    return;
  }
  const at = <usize>begin << 2;
  dOut += at; dX += at;
  const kept = v128.load_splat<f32>(scale);
  let i = i32x4.add(i32x4.splat(begin), i32x4(0, 1, 2, 3));
  for (let n = end - begin; n > 0; n -= 4) {
    storeLanes(dX, f32x4.add(v128.load(dX), f32x4.mul(v128.load(dOut), factors(key, kept, i))), n);
    i = i32x4.add(i, i32x4.splat(4));
    dOut += 16; dX += 16;
  }
}
