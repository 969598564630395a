/**
 * Causal self-attention as plain f64 loops: whole sequences forwards and backwards, and one token over a cache of keys and values.
 * A row of qkv holds Q | K | V, each with H heads of D numbers side by side.
 * Invariant: the step over a cache sums in the same order as the whole sequence, so both give the same bits.
 */
import { exp } from '../../base/math.js';

interface Shape {
  readonly B: number;
  /** Rows of each sequence, or of the longest there may be. */
  readonly T: number;
  readonly C: number;
  readonly H: number;
  /** First row of each sequence and of what follows the last, when lengths differ. */
  readonly starts: Int32Array | null;
}

/** First row of sequence b, and how many it has. */
function rowsOf({ T, starts }: Shape, b: number): [number, number] {
  return starts === null ? [b * T, T] : [starts[b], starts[b + 1] - starts[b]];
}

/** Scores → probabilities, in place; the largest score is taken off first so that exp stays in range. */
function softmaxInPlace(x: Float64Array): void {
  let largest = Number.NEGATIVE_INFINITY;
  for (const score of x) largest = Math.max(largest, score);
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    x[i] = exp(x[i] - largest);
    sum += x[i];
  }
  for (let i = 0; i < x.length; i++) x[i] /= sum;
}

function dot(size: number, a: Float64Array, aAt: number, b: Float64Array, bAt: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += a[aAt + i] * b[bAt + i];
  return sum;
}

/** softmax(Q·Kᵀ/√D)·V of each head, where a token sees itself and what came before it (Vaswani et al., 2017). */
export function attention(
  shape: Shape,
  qkv: Float64Array, // [B,T,3C]
  probs: Float64Array, // [B,H,T,T]
  out: Float64Array, // [B,T,C]
): void {
  const { B, T, C, H } = shape;
  const D = C / H;
  const scale = 1 / Math.sqrt(D);
  probs.fill(0);
  out.fill(0);
  for (let b = 0; b < B; b++) {
    const [first, time] = rowsOf(shape, b);
    for (let h = 0; h < H; h++) {
      for (let t = 0; t < time; t++) {
        const row = (first + t) * 3 * C + h * D; // where Q of this token and head starts
        const p = probs.subarray((b * H + h) * T * T + t * time).subarray(0, t + 1);
        for (let past = 0; past <= t; past++) {
          const k = (first + past) * 3 * C + C + h * D;
          p[past] = dot(D, qkv, row, qkv, k) * scale;
        }
        softmaxInPlace(p);
        for (let past = 0; past <= t; past++) {
          const v = (first + past) * 3 * C + 2 * C + h * D;
          for (let d = 0; d < D; d++) out[(first + t) * C + h * D + d] += p[past] * qkv[v + d];
        }
      }
    }
  }
}

/** Through the softmax: dScore = p·(dp − Σ p·dp); then to Q, K and V as products. */
export function attentionBackward(
  shape: Shape,
  qkv: Float64Array, // [B,T,3C]
  probs: Float64Array, // [B,H,T,T]
  dOut: Float64Array, // [B,T,C]
  dQkv: Float64Array, // [B,T,3C]
): void {
  const { B, T, C, H } = shape;
  const D = C / H;
  const scale = 1 / Math.sqrt(D);
  const dProbs = new Float64Array(T);
  for (let b = 0; b < B; b++) {
    const [first, time] = rowsOf(shape, b);
    for (let h = 0; h < H; h++) {
      for (let t = 0; t < time; t++) {
        const q = (first + t) * 3 * C + h * D;
        const p = (b * H + h) * T * T + t * time;
        const dRow = (first + t) * C + h * D;
        let along = 0; // Σ p·dp: softmax only sees differences
        for (let past = 0; past <= t; past++) {
          const v = (first + past) * 3 * C + 2 * C + h * D;
          dProbs[past] = dot(D, dOut, dRow, qkv, v);
          along += probs[p + past] * dProbs[past];
        }
        for (let past = 0; past <= t; past++) {
          const k = (first + past) * 3 * C + C + h * D;
          const v = k + C;
          const dScore = probs[p + past] * (dProbs[past] - along) * scale;
          for (let d = 0; d < D; d++) {
            dQkv[v + d] += probs[p + past] * dOut[dRow + d];
            dQkv[q + d] += dScore * qkv[k + d];
            dQkv[k + d] += dScore * qkv[q + d];
          }
        }
      }
    }
  }
}

/** One token of each of R sequences: its K and V go into the cache, and its Q looks at all that is there. */
export function attentionStep(
  { N, C, H }: { readonly N: number; readonly C: number; readonly H: number },
  qkv: Float64Array, // [R,3C]
  positions: Int32Array, // [R]
  sequences: Int32Array, // [R]
  keys: Float64Array, // [S,N,C]
  values: Float64Array, // [S,N,C]
  out: Float64Array, // [R,C]
): void {
  const D = C / H;
  const scale = 1 / Math.sqrt(D);
  const scores = new Float64Array(N);
  out.fill(0);
  for (let r = 0; r < positions.length; r++) {
    const at = (sequences[r] * N + positions[r]) * C;
    keys.set(qkv.subarray(r * 3 * C + C, r * 3 * C + 2 * C), at);
    values.set(qkv.subarray(r * 3 * C + 2 * C, r * 3 * C + 3 * C), at);
  }
  for (let r = 0; r < positions.length; r++) {
    const cache = sequences[r] * N * C;
    for (let h = 0; h < H; h++) {
      const p = scores.subarray(0, positions[r] + 1);
      for (let past = 0; past < p.length; past++) {
        p[past] = dot(D, qkv, r * 3 * C + h * D, keys, cache + past * C + h * D) * scale;
      }
      softmaxInPlace(p);
      for (let past = 0; past < p.length; past++) {
        const v = cache + past * C + h * D;
        for (let d = 0; d < D; d++) out[r * C + h * D + d] += p[past] * values[v + d];
      }
    }
  }
}
