/**
 * A recorded training program together with room for the batches that it is fed: which program fits a batch, and the batch filled up to it.
 * Refuses to know: backends' memory and updates. Invariant: rows that fill up belong to no sequence of the batch and count nothing.
 */
import type { Batch } from '../data/batches.js';
import type { BatchShape, TrainingProgram } from '../model/program.js';
import type { Backend } from '../tensor/backend.js';

export interface Recorded {
  readonly program: TrainingProgram;
  readonly shape: BatchShape;
  /** The last batch's integers, filled up to the shape of the program. */
  readonly filled: Record<'tokens' | 'positions' | 'targets' | 'starts', Int32Array>;
  readonly weights: Float64Array;
}

/**
 * Several sequences: rows are rounded up, so that there are few programs, and the spare ones become a sequence of their own that counts
 * nothing. It must fit into the context, hence the bound.
 */
export function shapeOf({ tokens, starts }: Pick<Batch, 'tokens' | 'starts'>, blockSize: number): BatchShape {
  const count = starts.length - 1;
  if (count === 1) return { rows: tokens.length, count, longest: tokens.length };
  const unit = Math.min(8, blockSize);
  let longest = unit;
  for (let b = 0; b < count; b++) longest = Math.max(longest, starts[b + 1] - starts[b]);
  return {
    rows: Math.ceil(tokens.length / unit) * unit,
    count: count + 1,
    longest: Math.min(blockSize, Math.ceil(longest / 16) * 16),
  };
}

export function withRoom(program: TrainingProgram, shape: BatchShape): Recorded {
  const ints = (length: number) => new Int32Array(length);
  const { rows, count } = shape;
  return {
    program,
    shape,
    filled: { tokens: ints(rows), positions: ints(rows), targets: ints(rows), starts: ints(count + 1) },
    weights: new Float64Array(rows),
  };
}

/** Puts a batch into the program's tensors. */
export function feed(backend: Backend, { program, shape, filled, weights }: Recorded, batch: Batch): void {
  fill({ shape, filled, weights }, batch);
  backend.write(program.tokens, filled.tokens);
  backend.write(program.positions, filled.positions);
  backend.write(program.targets, filled.targets);
  backend.write(program.weights, weights);
  if (program.starts !== null) backend.write(program.starts, filled.starts);
}

function fill({ shape, filled, weights }: Omit<Recorded, 'program'>, batch: Batch): void {
  const rows = batch.tokens.length;
  filled.tokens.set(batch.tokens);
  filled.positions.set(batch.positions);
  filled.targets.set(batch.targets);
  weights.set(batch.weights);
  filled.starts.set(batch.starts);
  if (shape.count === 1) return;
  filled.tokens.fill(0, rows);
  filled.positions.fill(0, rows);
  filled.targets.fill(0, rows);
  weights.fill(0, rows);
  filled.starts[shape.count] = shape.rows;
}
