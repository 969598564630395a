/**
 * The gradient of causal attention with respect to Q, K and V of every position, past ones included.
 * Knows the forward's probabilities only. Invariant: sums over time run upwards in t, whichever tile computes them.
 *   dP = dOut·Vᵀ,  dS = P∘(dP − rowsum(P∘dP))/√D,  dQ += dS·K,  dK += dSᵀ·Q,  dV += Pᵀ·dOut
 */
import { ZEROS } from '../src/backend/wasm/layout';
import { firstRow, scores } from './attention';
import { firstLanes, sumLanes } from './simd';
import { tileColumns, tileRows } from './tile';

/**
 * dQkv += …; `fresh`: dQkv counts as 0 whatever it holds. Range: pairs (sequence, head).
 * `scratch`: two [T, stride] matrices, stride = T rounded up to 4, + 4.
 */
export function attentionBackward(
  qkv: usize, probs: usize, dOut: usize, dQkv: usize, heads: i32, longest: i32, size: i32, scratch: usize, fresh: bool, starts: usize, begin: i32, end: i32,
): void {
  const c = <usize>(heads * size) << 2;
  const row = 3 * c;
  const scale = f32x4.splat(<f32>1.0 / sqrt<f32>(<f32>size));
  const fs: usize = fresh ? 0 : row;
  for (let u = begin; u < end; u++) {
    const b = u / heads, h = u - b * heads;
    const head = <usize>(h * size) << 2;
    const first = <usize>firstRow(starts, b, longest);
    const time = firstRow(starts, b + 1, longest) - <i32>first;
    const pRow = <usize>time << 2;
    // Not a power of two: walking down a column must not hit one cache set again and again.
    const sRow = (<usize>(time + 3) & ~3) * 4 + 16;
    const ds = scratch;
    const pc = scratch + <usize>time * sRow;
    const q = qkv + first * row + head, k = q + c, v = k + c;
    const dq = dQkv + first * row + head, dk = dq + c, dv = dk + c;
    const g = dOut + first * c + head;
    const p = probs + ((<usize>u * longest * longest) << 2);
    for (let t = 0; t < time; t++) {
      const s = ds + t * sRow, copy = pc + t * sRow;
      const pt = p + t * pRow;
      scores(g + t * c, v, row, size, t + 1, 1, s);
      const bytes = <usize>((t + 4) & ~3) << 2;
      const live = firstLanes((t & 3) + 1);
      let dot = f32x4.splat(0);
      let i: usize = 0;
      for (; i + 16 < bytes; i += 16) {
        const w = v128.load(pt + i);
        v128.store(copy + i, w);
        dot = f32x4.add(dot, f32x4.mul(w, v128.load(s + i)));
      }
      // Lanes beyond t: probability 0 (and not what follows the row in memory), so their dS is 0.
      const w = v128.and(v128.load(pt + i), live);
      v128.store(copy + i, w);
      dot = f32x4.add(dot, f32x4.mul(w, v128.load(s + i)));
      const sum = f32x4.splat(sumLanes(dot));
      for (i = 0; i < bytes; i += 16) {
        v128.store(s + i, f32x4.mul(f32x4.mul(v128.load(copy + i), f32x4.sub(v128.load(s + i), sum)), scale));
      }
    }
    for (let d = 0; d < size; d += 8) {
      const at = <usize>d << 2;
      const n = min(8, size - d);
      for (let t = 0; t < time; t += 4) {
        const m = time - t;
        const rq = dq + t * row + at, rk = dk + t * row + at, rv = dv + t * row + at;
        tileRows(ds + t * sRow, sRow, k + at, row, min(t + 4, time), fresh ? ZEROS : rq, fs, rq, row, m, n);
        const from = t * sRow + (<usize>t << 2);
        tileColumns(ds + from, sRow, q + t * row + at, row, m, fresh ? ZEROS : rk, fs, rk, row, m, n);
        tileColumns(pc + from, sRow, g + t * c + at, c, m, fresh ? ZEROS : rv, fs, rv, row, m, n);
      }
    }
  }
}
