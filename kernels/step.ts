/**
 * The module's one entry: executes a list of commands in order. A whole training step is one call.
 * Knows addresses and numbers only; who wrote the commands is the host's business.
 * Invariant: a worker's share of a command is a range of that kernel's own unit (rows, panels, heads, blocks of 4,096), and no element's
 * value depends on the range it was computed in; so any number of workers leaves the same bits.
 * Exported as a step and not as a loop of steps: V8 does not replace a running Wasm function by its optimised code.
 */
import * as op from '../src/backend/wasm/opcodes';
import { activation, activationBackward } from './activation';
import { adamw } from './adamw';
import { attention, attentionStep, cacheStore } from './attention';
import { attentionBackward } from './attention-backward';
import { clip, norm, squares } from './clip';
import { crossEntropy, crossEntropyBackward, weightedLoss } from './cross-entropy';
import { dropout, dropoutBackward } from './dropout';
import { add, copy, sumColumns, zero } from './elementwise';
import { embed, embedBackward } from './embed';
import { matmul, matvec } from './matmul';
import { layernorm, normBackward, rmsnorm } from './norm';
import { packColumns4, packColumns8, packTransposed, packWide } from './pack';

/** Operand i of the command at p. */
// @ts-ignore: decorator
@inline
function arg(p: usize, i: usize): i32 {
  return load<i32>(p + (i << 2));
}

/** First unit of worker w when `units` are shared among `workers`. */
// @ts-ignore: decorator
@inline
function first(units: i32, w: i32, workers: i32): i32 {
  return workers == 1 ? (w == 0 ? 0 : units) : <i32>((<i64>units * w) / workers);
}

/**
 * How often a worker looks whether the others have come before it sleeps: some 30 µs, which is what waking it would take. Most commands
 * of a small step are shorter than that, and so are the differences between the shares.
 */
const MOST_LOOKS = 40000;
const LEAST_LOOKS = 1000;

/**
 * Waits until every worker is here; gives how often to look the next time, and 0 when one of them failed, or did not come within a minute.
 * `barrier` is described in layout.ts. Who looked in vain looks half as often the next time: the others have no core to run on, and may want this one.
 */
function meet(barrier: usize, workers: i32, looks: i32): i32 {
  if (ASC_FEATURE_THREADS) {
    const round = atomic.load<i32>(barrier, 4);
    if (atomic.add<i32>(barrier, 1) == workers - 1) {
      atomic.store<i32>(barrier, 0);
      atomic.store<i32>(barrier, round + 1, 4);
      atomic.notify(barrier + 4, -1);
      return looks;
    }
    for (let left = looks; left > 0; left--) if (atomic.load<i32>(barrier, 4) != round) return min(2 * looks, MOST_LOOKS);
    for (let seconds = 0; seconds < 60; seconds++) {
      if (atomic.load<i32>(barrier, 4) != round) return max(looks >> 1, LEAST_LOOKS);
      if (atomic.load<i32>(barrier, 8) != 0) return 0;
      atomic.wait<i32>(barrier + 4, round, 1000000000);
    }
    return atomic.load<i32>(barrier, 4) != round ? LEAST_LOOKS : 0;
  }
  return looks;
}

/** Returns 0, or 1 when another worker failed and the results are worthless. */
export function step(commands: usize, count: i32, worker: i32, workers: i32, barrier: usize): i32 {
  let looks = MOST_LOOKS;
  for (let p = commands, end = commands + (<usize>count << 6); p < end; p += 64) {
    switch (arg(p, 0)) {
      case op.ZERO: {
        const n = arg(p, 2), blocks = (n + 4095) >> 12;
        const from = first(blocks, worker, workers) << 12, to = min(first(blocks, worker + 1, workers) << 12, n);
        if (from < to) zero(arg(p, 1), from, to);
        break;
      }
      case op.ADD: {
        const n = arg(p, 4), blocks = (n + 4095) >> 12;
        const from = first(blocks, worker, workers) << 12, to = min(first(blocks, worker + 1, workers) << 12, n);
        if (from < to) add(arg(p, 1), arg(p, 2), arg(p, 3), from, to);
        break;
      }
      case op.EMBED: {
        const n = arg(p, 7);
        embed(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 5), arg(p, 6), first(n, worker, workers), first(n, worker + 1, workers));
        break;
      }
      case op.EMBED_BACKWARD: {
        const c = arg(p, 6), quads = (c + 3) >> 2;
        const from = first(quads, worker, workers) << 2, to = min(first(quads, worker + 1, workers) << 2, c);
        if (from < to) embedBackward(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 5), c, arg(p, 7), from, to);
        break;
      }
      case op.RMSNORM: {
        const n = arg(p, 5);
        rmsnorm(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), first(n, worker, workers), first(n, worker + 1, workers));
        break;
      }
      case op.LAYERNORM: {
        const n = arg(p, 5);
        layernorm(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), first(n, worker, workers), first(n, worker + 1, workers));
        break;
      }
      case op.NORM_BACKWARD: {
        const n = arg(p, 6);
        normBackward(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 5), arg(p, 7) != 0, arg(p, 8) != 0, first(n, worker, workers), first(n, worker + 1, workers));
        break;
      }
      case op.MATMUL_ROWS:
      case op.MATMUL_COLUMNS: {
        const kMajor = arg(p, 0) == op.MATMUL_COLUMNS;
        const rows = arg(p, 12), columns = arg(p, 13), panels = (columns + 7) >> 3, quads = (rows + 3) >> 2;
        let r0 = 0, r1 = rows, p0 = 0, p1 = panels;
        if (quads >= panels) {
          r0 = first(quads, worker, workers) << 2;
          r1 = min(first(quads, worker + 1, workers) << 2, rows);
        } else {
          p0 = first(panels, worker, workers);
          p1 = first(panels, worker + 1, workers);
        }
        const as = arg(p, 2);
        matmul(
          kMajor, arg(p, 1), kMajor ? arg(p, 14) : as << 2, kMajor ? as : 4, as, arg(p, 3), arg(p, 4), arg(p, 5), arg(p, 6),
          arg(p, 7), arg(p, 8), arg(p, 9), arg(p, 10), arg(p, 11), r0, r1, p0, p1, columns,
        );
        break;
      }
      case op.MATVEC: {
        const columns = arg(p, 10), n = (columns + 31) >> 5;
        matvec(
          arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 5), arg(p, 6), arg(p, 7), arg(p, 8), arg(p, 9), columns,
          first(n, worker, workers), first(n, worker + 1, workers),
        );
        break;
      }
      case op.SUM_COLUMNS: {
        const c = arg(p, 4), quads = (c + 3) >> 2;
        sumColumns(arg(p, 1), arg(p, 2), arg(p, 3), c, arg(p, 5) != 0, first(quads, worker, workers) << 2, min(first(quads, worker + 1, workers) << 2, c));
        break;
      }
      case op.PACK_TRANSPOSED: {
        const n = (arg(p, 3) + 7) >> 3;
        packTransposed(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), first(n, worker, workers), first(n, worker + 1, workers));
        break;
      }
      case op.PACK_PANELS: {
        const n = (arg(p, 4) + 7) >> 3;
        packColumns8(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), first(n, worker, workers), first(n, worker + 1, workers));
        break;
      }
      case op.PACK_QUADS: {
        const n = (arg(p, 4) + 3) >> 2;
        packColumns4(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), first(n, worker, workers), first(n, worker + 1, workers));
        break;
      }
      case op.ATTENTION: {
        const n = arg(p, 9);
        attention(
          arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 5), arg(p, 6), arg(p, 7) + worker * arg(p, 8), arg(p, 10),
          first(n, worker, workers), first(n, worker + 1, workers),
        );
        break;
      }
      case op.ATTENTION_BACKWARD: {
        const n = arg(p, 10);
        attentionBackward(
          arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 5), arg(p, 6), arg(p, 7), arg(p, 8) + worker * arg(p, 9), arg(p, 11) != 0, arg(p, 12),
          first(n, worker, workers), first(n, worker + 1, workers),
        );
        break;
      }
      case op.CACHE_STORE: {
        const n = arg(p, 8);
        cacheStore(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 5), arg(p, 6), arg(p, 7), first(n, worker, workers), first(n, worker + 1, workers));
        break;
      }
      case op.ATTENTION_STEP: {
        const n = arg(p, 12);
        attentionStep(
          arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 5), arg(p, 6), arg(p, 7), arg(p, 8), arg(p, 9), arg(p, 10) + worker * arg(p, 11),
          first(n, worker, workers), first(n, worker + 1, workers),
        );
        break;
      }
      case op.ACTIVATION: {
        const n = arg(p, 4), blocks = (n + 4095) >> 12;
        const from = first(blocks, worker, workers) << 12, to = min(first(blocks, worker + 1, workers) << 12, n);
        if (from < to) activation(arg(p, 1), arg(p, 2), arg(p, 3), from, to);
        break;
      }
      case op.ACTIVATION_BACKWARD: {
        const n = arg(p, 5), blocks = (n + 4095) >> 12;
        const from = first(blocks, worker, workers) << 12, to = min(first(blocks, worker + 1, workers) << 12, n);
        if (from < to) activationBackward(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 6) != 0, from, to);
        break;
      }
      case op.CROSS_ENTROPY: {
        const n = arg(p, 7);
        crossEntropy(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 5), arg(p, 6), first(n, worker, workers), first(n, worker + 1, workers));
        break;
      }
      case op.WEIGHTED_LOSS: {
        if (worker == 0) weightedLoss(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4));
        break;
      }
      case op.CROSS_ENTROPY_BACKWARD: {
        const n = arg(p, 6);
        crossEntropyBackward(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 5), arg(p, 7) != 0, first(n, worker, workers), first(n, worker + 1, workers));
        break;
      }
      case op.ADAMW: {
        const n = arg(p, 6), blocks = (n + 4095) >> 12;
        const from = first(blocks, worker, workers) << 12, to = min(first(blocks, worker + 1, workers) << 12, n);
        // A sum that is not finite would spoil every parameter: then nothing is updated (NaN is not less either).
        if (from < to && abs<f32>(load<f32>(arg(p, 7))) < Infinity) adamw(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 5), from, to);
        break;
      }
      case op.COPY: {
        const n = arg(p, 3), blocks = (n + 4095) >> 12;
        const from = first(blocks, worker, workers) << 12, to = min(first(blocks, worker + 1, workers) << 12, n);
        if (from < to) copy(arg(p, 1), arg(p, 2), from, to);
        break;
      }
      case op.PACK_WIDE: {
        const n = (arg(p, 3) + 31) >> 5;
        packWide(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), first(n, worker, workers), first(n, worker + 1, workers));
        break;
      }
      case op.DROPOUT: {
        const n = arg(p, 5), blocks = (n + 4095) >> 12;
        const from = first(blocks, worker, workers) << 12, to = min(first(blocks, worker + 1, workers) << 12, n);
        if (from < to) dropout(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), from, to);
        break;
      }
      case op.DROPOUT_BACKWARD: {
        const n = arg(p, 5), blocks = (n + 4095) >> 12;
        const from = first(blocks, worker, workers) << 12, to = min(first(blocks, worker + 1, workers) << 12, n);
        if (from < to) dropoutBackward(arg(p, 1), arg(p, 2), arg(p, 3), arg(p, 4), arg(p, 6) != 0, from, to);
        break;
      }
      case op.SQUARES: {
        const n = arg(p, 3), blocks = (n + 4095) >> 12;
        squares(arg(p, 1), arg(p, 2), n, first(blocks, worker, workers), first(blocks, worker + 1, workers));
        break;
      }
      case op.NORM: {
        if (worker == 0) norm(arg(p, 1), arg(p, 2), arg(p, 3));
        break;
      }
      case op.CLIP: {
        const n = arg(p, 4), blocks = (n + 4095) >> 12;
        const from = first(blocks, worker, workers) << 12, to = min(first(blocks, worker + 1, workers) << 12, n);
        if (from < to) clip(arg(p, 1), arg(p, 2), arg(p, 3), from, to);
        break;
      }
      default:
        unreachable();
    }
    if (ASC_FEATURE_THREADS && workers > 1) {
      looks = meet(barrier, workers, looks);
      if (looks == 0) return 1;
    }
  }
  return 0;
}
