/**
 * Softmax and cross-entropy in one pass per row, and the gradient. logits, probs [R,V].
 * Knows no text. Invariant: a row's sums run over its own V logits in one order; the mean over rows is summed in the order of the rows, in f64.
 * A row of weight 0 takes no part: its target is not read, its loss and its probabilities are 0.
 */
import { ONE } from '../src/backend/wasm/layout';
import { exp4, log } from './math';
import { firstLanes, storeLanes } from './simd';

/** Range: rows. */
export function crossEntropy(logits: usize, targets: usize, weights: usize, probs: usize, losses: usize, vocab: i32, begin: i32, end: i32): void {
  const row = <usize>vocab << 2;
  const tail = vocab & 3;
  const whole = <usize>(vocab & ~3) << 2;
  const live = firstLanes(tail);
  const low = f32x4.splat(-Infinity);
  for (let r = begin; r < end; r++) {
    const x = logits + r * row, p = probs + r * row;
    const loss = losses + (<usize>r << 2);
    if (load<f32>(weights + (<usize>r << 2)) == 0) {
      for (let i: usize = 0; i < row; i += 4) store<f32>(p + i, 0);
      store<f32>(loss, 0);
      continue;
    }
    let top = low;
    for (let i: usize = 0; i < whole; i += 16) top = f32x4.pmax(top, v128.load(x + i));
    if (tail) top = f32x4.pmax(top, v128.bitselect(v128.load(x + whole), low, live));
    top = f32x4.pmax(top, i32x4.shuffle(top, top, 2, 3, 0, 1));
    const shift = f32x4.pmax(top, i32x4.shuffle(top, top, 1, 0, 3, 2));
    let s = f32x4.splat(0);
    for (let i: usize = 0; i < whole; i += 16) {
      const e = exp4(f32x4.sub(v128.load(x + i), shift));
      v128.store(p + i, e);
      s = f32x4.add(s, e);
    }
    if (tail) {
      const e = v128.and(exp4(f32x4.sub(v128.load(x + whole), shift)), live);
      storeLanes(p + whole, e, tail);
      s = f32x4.add(s, e);
    }
    s = f32x4.add(s, i32x4.shuffle(s, s, 2, 3, 0, 1));
    s = f32x4.add(s, i32x4.shuffle(s, s, 1, 0, 3, 2));
    const scale = f32x4.div(v128.load_splat<f32>(ONE), s);
    for (let i: usize = 0; i < whole; i += 16) v128.store(p + i, f32x4.mul(v128.load(p + i), scale));
    if (tail) storeLanes(p + whole, f32x4.mul(v128.load(p + whole), scale), tail);
    const own = load<f32>(x + (<usize>load<i32>(targets + (<usize>r << 2)) << 2));
    store<f32>(loss, <f32>(log(<f64>f32x4.extract_lane(s, 0)) - (<f64>own - <f64>f32x4.extract_lane(shift, 0))));
  }
}

/** loss = Σ_r weights[r]·losses[r] */
export function weightedLoss(weights: usize, losses: usize, loss: usize, rows: i32): void {
  let s: f64 = 0;
  for (let i: usize = 0, n = <usize>rows << 2; i < n; i += 4) s += <f64>load<f32>(weights + i) * <f64>load<f32>(losses + i);
  store<f32>(loss, <f32>s);
}

/** dLogits += weight·(probs − onehot(target)); `fresh`: dLogits counts as 0 whatever it holds. Range: rows. */
export function crossEntropyBackward(probs: usize, targets: usize, weights: usize, dLogits: usize, vocab: i32, fresh: bool, begin: i32, end: i32): void {
  const row = <usize>vocab << 2;
  const tail = vocab & 3;
  const whole = <usize>(vocab & ~3) << 2;
  const keep = firstLanes(fresh ? 0 : 4);
  for (let r = begin; r < end; r++) {
    const w = load<f32>(weights + (<usize>r << 2));
    const p = probs + r * row, d = dLogits + r * row;
    const w4 = f32x4.splat(w);
    for (let i: usize = 0; i < whole; i += 16) {
      v128.store(d + i, f32x4.add(v128.and(v128.load(d + i), keep), f32x4.mul(v128.load(p + i), w4)));
    }
    if (tail) storeLanes(d + whole, f32x4.add(v128.and(v128.load(d + whole), keep), f32x4.mul(v128.load(p + whole), w4)), tail);
    if (w == 0) continue; // its probabilities are 0, and its target may be anything
    const own = d + (<usize>load<i32>(targets + (<usize>r << 2)) << 2);
    store<f32>(own, load<f32>(own) - w);
  }
}
