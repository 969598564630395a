/**
 * Token + position lookup and its backward, a scatter-add. out [R,C].
 * Knows no vocabulary: ids were checked by the host. Invariant: a table row that occurs twice collects its gradients in the order of the rows,
 * whoever adds them, because threads share columns, never rows.
 */
import { storeLanes } from './simd';

/** Range: rows. */
export function embed(tokens: usize, positions: usize, tokenTable: usize, positionTable: usize, out: usize, columns: i32, begin: i32, end: i32): void {
  const row = <usize>columns << 2;
  for (let r = begin; r < end; r++) {
    const a = tokenTable + <usize>load<i32>(tokens + (<usize>r << 2)) * row;
    const b = positionTable + <usize>load<i32>(positions + (<usize>r << 2)) * row;
    const o = out + r * row;
    let i: usize = 0;
    for (; i + 16 <= row; i += 16) v128.store(o + i, f32x4.add(v128.load(a + i), v128.load(b + i)));
    for (; i < row; i += 4) store<f32>(o + i, load<f32>(a + i) + load<f32>(b + i));
  }
}

/** Range: columns, from a multiple of 4. */
export function embedBackward(
  tokens: usize, positions: usize, dOut: usize, dTokenTable: usize, dPositionTable: usize, columns: i32, rows: i32, begin: i32, end: i32,
): void {
  const row = <usize>columns << 2;
  const from = <usize>begin << 2, to = <usize>end << 2;
  for (let r = 0; r < rows; r++) {
    const a = dTokenTable + <usize>load<i32>(tokens + (<usize>r << 2)) * row;
    const b = dPositionTable + <usize>load<i32>(positions + (<usize>r << 2)) * row;
    const g = dOut + r * row;
    let i = from;
    for (; i < to; i += 16) {
      const v = v128.load(g + i);
      const n = <i32>(to - i) >> 2;
      storeLanes(a + i, f32x4.add(v128.load(a + i), v), n);
      storeLanes(b + i, f32x4.add(v128.load(b + i), v), n);
    }
  }
}
