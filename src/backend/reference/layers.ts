/**
 * Embedding, norms, linear layers and activations as plain f64 loops. Every `…Backward` adds to its `d…` outputs.
 * Letters: R rows, I inputs, O outputs, C channels.
 */
import { tanh } from '../../base/math.js';
import type { ActivationKind, NormKind } from '../../tensor/backend.js';

const NORM_EPS = 1e-5;

/** out = a + b, in any shape. */
export function add(a: Float64Array, b: Float64Array, out: Float64Array): void {
  for (let i = 0; i < out.length; i++) out[i] = a[i] + b[i];
}

/** into += x */
export function accumulate(x: Float64Array, into: Float64Array): void {
  for (let i = 0; i < x.length; i++) into[i] += x[i];
}

/** The row of a token and the row of its place, added up. */
export function embed(
  C: number,
  tokens: Int32Array, // [R]
  positions: Int32Array, // [R]
  tokenTable: Float64Array, // [V,C]
  positionTable: Float64Array, // [N,C]
  out: Float64Array, // [R,C]
): void {
  for (let r = 0; r < tokens.length; r++) {
    for (let c = 0; c < C; c++) out[r * C + c] = tokenTable[tokens[r] * C + c] + positionTable[positions[r] * C + c];
  }
}

/** Each row's gradient goes to the two rows that it was made of; a token that comes twice gets both. */
export function embedBackward(
  C: number,
  tokens: Int32Array, // [R]
  positions: Int32Array, // [R]
  dOut: Float64Array, // [R,C]
  dTokenTable: Float64Array, // [V,C]
  dPositionTable: Float64Array, // [N,C]
): void {
  for (let r = 0; r < tokens.length; r++) {
    for (let c = 0; c < C; c++) {
      dTokenTable[tokens[r] * C + c] += dOut[r * C + c];
      dPositionTable[positions[r] * C + c] += dOut[r * C + c];
    }
  }
}

/** (x − mean)·rstd for layernorm, x·rstd for rmsnorm, row by row, with rstd = 1/√(mean of squares + 1e-5). */
export function norm(
  kind: NormKind,
  C: number,
  x: Float64Array, // [R,C]
  out: Float64Array, // [R,C]
  rstd: Float64Array, // [R]
): void {
  for (let r = 0; r < rstd.length; r++) {
    const row = r * C;
    let mean = 0;
    if (kind === 'layernorm') {
      for (let c = 0; c < C; c++) mean += x[row + c];
      mean /= C;
    }
    let squares = 0;
    for (let c = 0; c < C; c++) squares += (x[row + c] - mean) * (x[row + c] - mean);
    const scale = 1 / Math.sqrt(squares / C + NORM_EPS);
    for (let c = 0; c < C; c++) out[row + c] = (x[row + c] - mean) * scale;
    rstd[r] = scale;
  }
}

/** With y the forward result: dx = rstd·(dy − y·mean(y·dy)), for layernorm also minus mean(dy) inside. */
export function normBackward(
  kind: NormKind,
  C: number,
  out: Float64Array, // y [R,C]
  rstd: Float64Array, // [R]
  dOut: Float64Array, // [R,C]
  dX: Float64Array, // [R,C]
): void {
  for (let r = 0; r < rstd.length; r++) {
    const row = r * C;
    let along = 0;
    let mean = 0;
    for (let c = 0; c < C; c++) {
      along += out[row + c] * dOut[row + c];
      mean += dOut[row + c];
    }
    along /= C;
    mean = kind === 'layernorm' ? mean / C : 0;
    for (let c = 0; c < C; c++) dX[row + c] += rstd[r] * (dOut[row + c] - out[row + c] * along - mean);
  }
}

/** out = x·wᵀ + bias */
export function linear(
  I: number,
  O: number,
  x: Float64Array, // [R,I]
  w: Float64Array, // [O,I]
  bias: Float64Array | null, // [O]
  out: Float64Array, // [R,O]
): void {
  const R = out.length / O;
  for (let r = 0; r < R; r++) {
    for (let o = 0; o < O; o++) {
      let sum = 0;
      for (let i = 0; i < I; i++) sum += w[o * I + i] * x[r * I + i];
      out[r * O + o] = bias === null ? sum : sum + bias[o];
    }
  }
}

/** dX = dOut·w, dW = dOutᵀ·x, dBias = the sum of dOut's rows. */
export function linearBackward(
  I: number,
  O: number,
  x: Float64Array, // [R,I]
  w: Float64Array, // [O,I]
  dOut: Float64Array, // [R,O]
  dX: Float64Array, // [R,I]
  dW: Float64Array, // [O,I]
  dBias: Float64Array | null, // [O]
): void {
  const R = dOut.length / O;
  for (let r = 0; r < R; r++) {
    for (let o = 0; o < O; o++) {
      const d = dOut[r * O + o];
      if (dBias !== null) dBias[o] += d;
      for (let i = 0; i < I; i++) {
        dX[r * I + i] += d * w[o * I + i];
        dW[o * I + i] += d * x[r * I + i];
      }
    }
  }
}

// The tanh form of GELU (Hendrycks & Gimpel, 2016); √(2/π) as the earlier systems write it.
const GELU_SCALE = 0.7978845608;
const GELU_CUBE = 0.044715;

/** Element by element, in any shape. */
export function activation(kind: ActivationKind, x: Float64Array, out: Float64Array): void {
  for (let i = 0; i < x.length; i++) out[i] = activate(kind, x[i]);
}

function activate(kind: ActivationKind, x: number): number {
  switch (kind) {
    case 'relu':
      return Math.max(0, x);
    case 'relu2':
      return x < 0 ? 0 : x * x; // NaN stays NaN
    case 'gelu':
      return 0.5 * x * (1 + tanh(GELU_SCALE * (x + GELU_CUBE * x * x * x)));
  }
}

/** dX = dOut·f′(x), element by element; at 0 the slope of relu is taken as 0. */
export function activationBackward(kind: ActivationKind, x: Float64Array, dOut: Float64Array, dX: Float64Array): void {
  for (let i = 0; i < x.length; i++) dX[i] += dOut[i] * activationSlope(kind, x[i]);
}

function activationSlope(kind: ActivationKind, x: number): number {
  switch (kind) {
    case 'relu':
      return x > 0 ? 1 : 0;
    case 'relu2':
      return x > 0 ? 2 * x : 0;
    case 'gelu': {
      const t = tanh(GELU_SCALE * (x + GELU_CUBE * x * x * x));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * GELU_SCALE * (1 + 3 * GELU_CUBE * x * x);
    }
  }
}
