/**
 * `linear` and its backward → commands: tiles over packed or plain matrices, rows through the weights, or products for someone else.
 * Knows shapes and addresses, not models and not threads. Invariant: which of them serves a product depends on its shape only.
 */
import { sizeOf, type Tensor } from '../../tensor/backend.js';
import { ZEROS } from './layout.js';
import * as code from './opcodes.js';
import { bytesAt, type Planner } from './planner.js';
import { forwards, toInputs, toWeights } from './products.js';

/** Above these, packing pays for itself (docs/decisions/0004). Below, tiles read the matrices where they lie. */
const PACK_ROWS = 48;
const PACK_ELEMENTS = 4096;

/** Fewer rows than this stream through the weights row by row; from here on, tiles of four rows. */
const FEW_ROWS = 3;

export function last(x: Tensor, back = 1): number {
  return x.shape[x.shape.length - back] ?? 1;
}

export function linear(planner: Planner, x: Tensor, w: Tensor, bias: Tensor | null, out: Tensor): void {
  const { emit, packed, count, storage } = planner;
  const I = last(w);
  const O = last(w, 2);
  const R = sizeOf(x.shape) / I;
  if (planner.large(R, R * I * O)) {
    // Rows of nothing but the bias, looked up like embeddings: entry 0 of the bias and of a table of zeros, for every row.
    const zeros = bias === null ? 0 : storage.zeros(4 * Math.max(R, O));
    if (bias !== null) emit(code.EMBED, zeros, zeros, bytesAt(bias), zeros, bytesAt(out), O, R);
    count(R * O);
    planner.multiply(forwards(x, w, out, R, I, O, bias !== null));
    return;
  }
  const from = bias === null ? ZEROS : bytesAt(bias);
  const fromColumns = bias === null ? 0 : 32;
  count(R * I * O);
  if (R < FEW_ROWS) {
    emit(code.MATVEC, bytesAt(x), I * 4, packed('wide', w).to, I, from, fromColumns * 4, bytesAt(out), O * 4, R, O);
  } else {
    const b = packed('transposed', w).to;
    emit(code.MATMUL_ROWS, bytesAt(x), I * 4, b, I * 32, 32, I, from, 0, fromColumns, bytesAt(out), O * 4, R, O);
  }
}

export function linearBackward(
  planner: Planner,
  x: Tensor,
  w: Tensor,
  dOut: Tensor,
  dX: Tensor,
  dW: Tensor,
  dBias: Tensor | null,
): void {
  const I = last(w);
  const O = last(w, 2);
  const R = sizeOf(x.shape) / I;
  const { emit, packed, fresh, count, storage } = planner;
  if (planner.large(R, R * I * O)) {
    planner.multiply(toInputs(dOut, w, dX, R, I, O, fresh(dX) === 0));
    planner.multiply(toWeights(dOut, x, dW, R, I, O, fresh(dW) === 0));
    if (dBias !== null) emit(code.SUM_COLUMNS, bytesAt(dOut), bytesAt(dBias), R, O, fresh(dBias));
    count(R * O);
    return;
  }
  const big = R >= PACK_ROWS && O * I >= PACK_ELEMENTS;
  count(2 * R * I * O);
  /** Where the sums of an [.., I] output start: at the output itself, or at nothing. */
  const start = (to: Tensor): readonly [number, number, number] =>
    fresh(to) ? [ZEROS, 0, 0] : [bytesAt(to), I * 4, 32];
  // dX += dOut·w
  if (big)
    emit(
      code.MATMUL_ROWS,
      bytesAt(dOut),
      O * 4,
      packed('panels', w).to,
      O * 32,
      32,
      O,
      ...start(dX),
      bytesAt(dX),
      I * 4,
      R,
      I,
    );
  else emit(code.MATMUL_ROWS, bytesAt(dOut), O * 4, bytesAt(w), 32, I * 4, O, ...start(dX), bytesAt(dX), I * 4, R, I);
  // dW += dOutᵀ·x
  if (big) {
    const a = storage.scratch(0, Math.ceil(O / 4) * 4 * R * 4);
    const b = storage.scratch(1, Math.ceil(I / 8) * 8 * R * 4);
    emit(code.PACK_QUADS, bytesAt(dOut), a, R, O);
    emit(code.PACK_PANELS, bytesAt(x), b, R, I);
    emit(code.MATMUL_COLUMNS, a, 16, b, R * 32, 32, R, ...start(dW), bytesAt(dW), I * 4, O, I, R * 16);
  } else {
    emit(
      code.MATMUL_COLUMNS,
      bytesAt(dOut),
      O * 4,
      bytesAt(x),
      32,
      I * 4,
      R,
      ...start(dW),
      bytesAt(dW),
      I * 4,
      O,
      I,
      16,
    );
  }
  if (dBias !== null) emit(code.SUM_COLUMNS, bytesAt(dOut), bytesAt(dBias), R, O, fresh(dBias));
}
