/**
 * Causal softmax attention, forward: whole sequences, and single tokens of many sequences against their caches.
 * Knows no cache policy. Invariant: both paths compute a query's row with the same functions over keys 0 … t, so decoding gives the bits of
 * the whole-sequence pass at every position. The whole-sequence pass may run on into zero probabilities: x + 0·v = x.
 */
import { ONE, ZEROS } from '../src/backend/wasm/layout';
import { exp4 } from './math';
import { firstLanes, storeLanes, sumLanes4 } from './simd';
import { tileRows, tileWide } from './tile';

/** to[j] = scale·(q · k[j]) for j < count; fills up the last group of four with whatever follows the keys. Lanes run over d. */
export function scores(q: usize, k: usize, ks: usize, d: i32, count: i32, scale: f32, to: usize): void {
  const tail = d & 3;
  const whole = <usize>(d & ~3) << 2;
  const live = firstLanes(tail);
  const scale4 = f32x4.splat(scale);
  const last = k + (<usize>count - 1) * ks;
  if (d == 4) {
    // A head of one vector (the canonical model): the same arithmetic, 0 + q·k, without the loop over d.
    const v = v128.load(q);
    let j = count;
    for (; j >= 4; j -= 4) {
      const k2 = k + 2 * ks;
      const s0 = f32x4.mul(v, v128.load(k)), s1 = f32x4.mul(v, v128.load(k + ks));
      const s2 = f32x4.mul(v, v128.load(k2)), s3 = f32x4.mul(v, v128.load(k2 + ks));
      v128.store(to, f32x4.mul(sumLanes4(s0, s1, s2, s3), scale4));
      k += 4 * ks;
      to += 16;
    }
    if (j > 0) {
      const s0 = f32x4.mul(v, v128.load(k)), s1 = f32x4.mul(v, v128.load(min(k + ks, last)));
      const s2 = f32x4.mul(v, v128.load(min(k + 2 * ks, last)));
      v128.store(to, f32x4.mul(sumLanes4(s0, s1, s2, s2), scale4));
    }
    return;
  }
  for (let j = 0; j < count; j += 4) {
    // Keys past the end repeat the last one: nothing beyond the tensor is read.
    const k1 = min(k + ks, last), k2 = min(k + 2 * ks, last), k3 = min(k + 3 * ks, last);
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    for (let i: usize = 0; i < whole; i += 16) {
      const v = v128.load(q + i);
      s0 = f32x4.add(s0, f32x4.mul(v, v128.load(k + i)));
      s1 = f32x4.add(s1, f32x4.mul(v, v128.load(k1 + i)));
      s2 = f32x4.add(s2, f32x4.mul(v, v128.load(k2 + i)));
      s3 = f32x4.add(s3, f32x4.mul(v, v128.load(k3 + i)));
    }
    if (tail) {
      const v = v128.and(v128.load(q + whole), live);
      s0 = f32x4.add(s0, f32x4.mul(v, v128.and(v128.load(k + whole), live)));
      s1 = f32x4.add(s1, f32x4.mul(v, v128.and(v128.load(k1 + whole), live)));
      s2 = f32x4.add(s2, f32x4.mul(v, v128.and(v128.load(k2 + whole), live)));
      s3 = f32x4.add(s3, f32x4.mul(v, v128.and(v128.load(k3 + whole), live)));
    }
    v128.store(to, f32x4.mul(sumLanes4(s0, s1, s2, s3), scale4));
    k += 4 * ks;
    to += 16;
  }
}

/** Softmax of count scores in place; the rest of the last group of four becomes 0. */
// @ts-ignore: decorator
@inline
function softmax(s: usize, count: i32): void {
  const end = s + (<usize>((count + 3) & ~3) << 2);
  const lastGroup = end - 16;
  const live = firstLanes(((count - 1) & 3) + 1);
  let top = v128.bitselect(v128.load(lastGroup), f32x4.splat(-Infinity), live);
  v128.store(lastGroup, top);
  for (let p = s; p < lastGroup; p += 16) top = f32x4.pmax(top, v128.load(p));
  // The largest in all four lanes, without leaving the vector registers.
  top = f32x4.pmax(top, i32x4.shuffle(top, top, 2, 3, 0, 1));
  const shift = f32x4.pmax(top, i32x4.shuffle(top, top, 1, 0, 3, 2));
  let sum = f32x4.splat(0);
  for (let p = s; p < end; p += 16) {
    const e = exp4(f32x4.sub(v128.load(p), shift));
    v128.store(p, e);
    sum = f32x4.add(sum, e);
  }
  sum = f32x4.add(sum, i32x4.shuffle(sum, sum, 2, 3, 0, 1));
  sum = f32x4.add(sum, i32x4.shuffle(sum, sum, 1, 0, 3, 2));
  const scale = f32x4.div(v128.load_splat<f32>(ONE), sum);
  for (let p = s; p < end; p += 16) v128.store(p, f32x4.mul(v128.load(p), scale));
}

/** The first row of sequence b. */
// @ts-ignore: decorator
@inline
export function firstRow(starts: usize, b: i32, longest: i32): i32 {
  return starts == 0 ? b * longest : load<i32>(starts + (<usize>b << 2));
}

/**
 * Range: pairs (sequence, head), numbered b·H + h. `scratch`: T + 4 floats.
 * A row of probs is written in whole vectors and may run over into the next row, which is written after it; only the last row of a pair,
 * whose neighbour may be another worker's, is made in the scratch. `starts`: first rows of sequences of different lengths, or 0.
 */
export function attention(qkv: usize, probs: usize, out: usize, heads: i32, longest: i32, size: i32, scratch: usize, starts: usize, begin: i32, end: i32): void {
  const c = <usize>(heads * size) << 2;
  const row = 3 * c;
  const scale: f32 = 1.0 / sqrt<f32>(<f32>size);
  const zero = f32x4.splat(0);
  for (let u = begin; u < end; u++) {
    const b = u / heads, h = u - b * heads;
    const head = <usize>(h * size) << 2;
    const first = firstRow(starts, b, longest), time = firstRow(starts, b + 1, longest) - first;
    const pRow = <usize>time << 2;
    const q = qkv + <usize>first * row + head;
    const k = q + c, v = k + c;
    const p = probs + ((<usize>u * longest * longest) << 2);
    const o = out + <usize>first * c + head;
    for (let t0 = 0; t0 < time; t0 += 4) {
      const t1 = min(t0 + 4, time);
      for (let t = t0; t < t1; t++) {
        const isLast = t == time - 1;
        let to = p + t * pRow;
        const s = isLast ? scratch : to;
        scores(q + t * row, k, row, size, t + 1, scale, s);
        softmax(s, t + 1);
        if (isLast) {
          let n = time;
          for (let from = s; n > 0; n -= 4) {
            storeLanes(to, v128.load(from), n);
            from += 16; to += 16;
          }
        } else {
          const stop = to + pRow;
          for (to += <usize>((t + 4) & ~3) << 2; to < stop; to += 16) v128.store(to, zero);
        }
      }
      for (let d = 0; d < size; d += 8) {
        const at = <usize>d << 2;
        tileRows(p + t0 * pRow, pRow, v + at, row, t1, ZEROS, 0, o + t0 * c + at, c, t1 - t0, min(8, size - d));
      }
    }
  }
}

/** Range: rows. Puts K and V of row r at positions[r] of cache sequences[r]; keys and values are [S,N,C], `c` their row in bytes. */
export function cacheStore(
  qkv: usize, positions: usize, sequences: usize, keys: usize, values: usize, c: usize, context: i32, begin: i32, end: i32,
): void {
  for (let r = begin; r < end; r++) {
    const at = <usize>(load<i32>(sequences + (<usize>r << 2)) * context + load<i32>(positions + (<usize>r << 2))) * c;
    const k = qkv + <usize>r * 3 * c + c;
    memory.copy(keys + at, k, c);
    memory.copy(values + at, k + c, c);
  }
}

/** Range: pairs (row, head). K and V of all rows are in the caches already. */
export function attentionStep(
  qkv: usize, positions: usize, sequences: usize, keys: usize, values: usize, out: usize, heads: i32, context: i32, size: i32, scratch: usize, begin: i32, end: i32,
): void {
  const c = <usize>(heads * size) << 2;
  const scale: f32 = 1.0 / sqrt<f32>(<f32>size);
  const bytes = <usize>size << 2;
  for (let u = begin; u < end; u++) {
    const r = u / heads, h = u - r * heads;
    const head = <usize>h * bytes;
    const t = load<i32>(positions + (<usize>r << 2));
    const q = qkv + <usize>r * 3 * c + head;
    const cache = <usize>(load<i32>(sequences + (<usize>r << 2)) * context) * c + head;
    const k = keys + cache, v = values + cache;
    scores(q, k, c, size, t + 1, scale, scratch);
    softmax(scratch, t + 1);
    const o = out + <usize>r * c + head;
    for (let d = 0; d < size; d += 32) tileWide(scratch, v + (<usize>d << 2), c, t + 1, ZEROS, o + (<usize>d << 2), size - d);
  }
}
