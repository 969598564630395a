/**
 * Four-lane idioms that every kernel shares.
 * Knows no op and no shape. Invariant: each one is a fixed sequence of IEEE operations, so equal inputs give equal bits on any machine.
 */

/** (v0 + v2) + (v1 + v3): the one order in which lanes are ever summed. */
// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f32 {
  const pairs = f32x4.add(v, i32x4.shuffle(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** The sums of the lanes of four vectors, one per lane, each in the order of `sumLanes`. */
// @ts-ignore: decorator
@inline
export function sumLanes4(a: v128, b: v128, c: v128, d: v128): v128 {
  // [a0+a2, a1+a3, b0+b2, b1+b3] and the same of c, d
  const ab = f32x4.add(i32x4.shuffle(a, b, 0, 1, 4, 5), i32x4.shuffle(a, b, 2, 3, 6, 7));
  const cd = f32x4.add(i32x4.shuffle(c, d, 0, 1, 4, 5), i32x4.shuffle(c, d, 2, 3, 6, 7));
  return f32x4.add(i32x4.shuffle(ab, cd, 0, 2, 4, 6), i32x4.shuffle(ab, cd, 1, 3, 5, 7));
}

/** Stores the first n (≤ 4) lanes: a full store would run into the next row, which may belong to another thread. */
// @ts-ignore: decorator
@inline
export function storeLanes(to: usize, v: v128, n: i32): void {
  if (n >= 4) {
    v128.store(to, v);
    return;
  }
  if (n > 0) store<f32>(to, f32x4.extract_lane(v, 0));
  if (n > 1) store<f32>(to, f32x4.extract_lane(v, 1), 4);
  if (n > 2) store<f32>(to, f32x4.extract_lane(v, 2), 8);
}

/** All ones in the first n lanes. */
// @ts-ignore: decorator
@inline
export function firstLanes(n: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(n));
}
