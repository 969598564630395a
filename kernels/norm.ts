/**
 * RMSNorm and LayerNorm without gain, forward and backward, row by row. out [R,C], rstd [R].
 * Knows no model. Invariant: a row's sums run over its own C elements in one order, so a row does not depend on the rows around it.
 * The gradient is the exact one: with out = x·rstd(x), dX = rstd·(dOut − out·mean(dOut·out)), and for LayerNorm also − mean(dOut).
 */
import { firstLanes, storeLanes, sumLanes } from './simd';

// @ts-ignore: decorator
@inline const EPS: f32 = 1e-5;

export function rmsnorm(x: usize, out: usize, rstd: usize, columns: i32, begin: i32, end: i32): void {
  const row = <usize>columns << 2;
  const tail = columns & 3;
  const whole = <usize>(columns & ~3) << 2;
  const live = firstLanes(tail);
  for (let r = begin; r < end; r++) {
    const p = x + r * row;
    let s = f32x4.splat(0);
    for (let i: usize = 0; i < whole; i += 16) {
      const v = v128.load(p + i);
      s = f32x4.add(s, f32x4.mul(v, v));
    }
    if (tail) {
      const v = v128.and(v128.load(p + whole), live);
      s = f32x4.add(s, f32x4.mul(v, v));
    }
    const scale: f32 = 1.0 / sqrt<f32>(sumLanes(s) / <f32>columns + EPS);
    store<f32>(rstd + (<usize>r << 2), scale);
    const scale4 = f32x4.splat(scale);
    const o = out + r * row;
    for (let i: usize = 0; i < whole; i += 16) v128.store(o + i, f32x4.mul(v128.load(p + i), scale4));
    if (tail) storeLanes(o + whole, f32x4.mul(v128.load(p + whole), scale4), tail);
  }
}

export function layernorm(x: usize, out: usize, rstd: usize, columns: i32, begin: i32, end: i32): void {
  const row = <usize>columns << 2;
  const tail = columns & 3;
  const whole = <usize>(columns & ~3) << 2;
  const live = firstLanes(tail);
  for (let r = begin; r < end; r++) {
    const p = x + r * row;
    let s = f32x4.splat(0);
    for (let i: usize = 0; i < whole; i += 16) s = f32x4.add(s, v128.load(p + i));
    if (tail) s = f32x4.add(s, v128.and(v128.load(p + whole), live));
    const mean = f32x4.splat(sumLanes(s) / <f32>columns);
    s = f32x4.splat(0);
    for (let i: usize = 0; i < whole; i += 16) {
      const v = f32x4.sub(v128.load(p + i), mean);
      s = f32x4.add(s, f32x4.mul(v, v));
    }
    if (tail) {
      const v = v128.and(f32x4.sub(v128.load(p + whole), mean), live);
      s = f32x4.add(s, f32x4.mul(v, v));
    }
    const scale: f32 = 1.0 / sqrt<f32>(sumLanes(s) / <f32>columns + EPS);
    store<f32>(rstd + (<usize>r << 2), scale);
    const scale4 = f32x4.splat(scale);
    const o = out + r * row;
    for (let i: usize = 0; i < whole; i += 16) v128.store(o + i, f32x4.mul(f32x4.sub(v128.load(p + i), mean), scale4));
    if (tail) storeLanes(o + whole, f32x4.mul(f32x4.sub(v128.load(p + whole), mean), scale4), tail);
  }
}

/** dX += …; `centred` adds LayerNorm's term; `fresh`: dX counts as 0 whatever it holds. */
export function normBackward(out: usize, rstd: usize, dOut: usize, dX: usize, columns: i32, centred: bool, fresh: bool, begin: i32, end: i32): void {
  const row = <usize>columns << 2;
  const tail = columns & 3;
  const whole = <usize>(columns & ~3) << 2;
  const live = firstLanes(tail);
  const keep = firstLanes(fresh ? 0 : 4);
  for (let r = begin; r < end; r++) {
    const o = out + r * row, g = dOut + r * row, d = dX + r * row;
    let dot = f32x4.splat(0), sum = f32x4.splat(0);
    for (let i: usize = 0; i < whole; i += 16) {
      const v = v128.load(g + i);
      dot = f32x4.add(dot, f32x4.mul(v, v128.load(o + i)));
      sum = f32x4.add(sum, v);
    }
    if (tail) {
      const v = v128.and(v128.load(g + whole), live);
      dot = f32x4.add(dot, f32x4.mul(v, v128.and(v128.load(o + whole), live)));
      sum = f32x4.add(sum, v);
    }
    const along = f32x4.splat(sumLanes(dot) / <f32>columns);
    const mean = f32x4.splat(centred ? sumLanes(sum) / <f32>columns : 0);
    const scale = v128.load_splat<f32>(rstd + (<usize>r << 2));
    for (let i: usize = 0; i < whole; i += 16) {
      const v = f32x4.sub(f32x4.sub(v128.load(g + i), mean), f32x4.mul(v128.load(o + i), along));
      v128.store(d + i, f32x4.add(v128.and(v128.load(d + i), keep), f32x4.mul(v, scale)));
    }
    if (tail) {
      const v = f32x4.sub(f32x4.sub(v128.load(g + whole), mean), f32x4.mul(v128.load(o + whole), along));
      storeLanes(d + whole, f32x4.add(v128.and(v128.load(d + whole), keep), f32x4.mul(v, scale)), tail);
    }
  }
}
