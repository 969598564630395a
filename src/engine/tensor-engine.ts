/**
 * The tensor engine: a model on a backend. Records a program for each shape of batch the first time that shape comes by, then replays it.
 * Refuses to know: which backend it is, and text. Invariant: programs for training lie over one another in memory, so everything that a
 * program reads is written before it runs; what outlives a step (parameters, moments, caches) lies outside.
 */
import type { Batch } from '../data/batches.js';
import type { ModelConfig } from '../model/config.js';
import {
  allocModel,
  allocTraining,
  type BatchShape,
  recordTraining,
  type TrainingBuffers,
  type TrainingProgram,
} from '../model/program.js';
import type { Backend, Mark } from '../tensor/backend.js';
import type { BackendName, Decoder, Engine } from './engine.js';
import { createLook } from './look.js';
import { createTensorDecoder } from './tensor-decoder.js';

interface Recorded {
  readonly program: TrainingProgram;
  readonly shape: BatchShape;
  /** The last batch's integers, filled up to the shape of the program. */
  readonly filled: Record<'tokens' | 'positions' | 'targets' | 'starts', Int32Array>;
  readonly weights: Float64Array;
}

export function createTensorEngine(
  name: BackendName,
  backend: Backend,
  config: ModelConfig,
  parameters: Float64Array,
): Engine {
  const model = allocModel(backend, config);
  backend.write(model.params, parameters);
  const recorded = new Map<string, Recorded>();
  const idle: Decoder[] = []; // closed ones: the arena cannot take their caches back, but the next decoder can
  const loss = new Float64Array(1);
  let training: TrainingBuffers | null = null;
  let shared: Mark | null = null; // where programs for training begin
  const looking = createLook(backend, model, () => {
    shared ??= backend.mark();
    backend.reset(shared);
  });

  function buffers(): TrainingBuffers {
    if (training === null) {
      keepAllocated(); // a look may have come before
      training = allocTraining(backend, model);
    }
    return training;
  }

  /**
   * From here on programs for training begin behind what a decoder is about to allocate. Those recorded before may reach beyond the
   * place where it will lie, because a larger one may have been followed by a smaller: they are forgotten and recorded again.
   */
  function keepAllocated(): void {
    shared = null;
    looking.forget();
    recorded.clear();
  }

  /** The program for a batch, with the batch in its tensors. */
  function load(batch: Batch): TrainingProgram {
    const shape = shapeOf(batch, config.blockSize);
    const key = `${shape.rows} ${shape.count} ${shape.longest}`;
    let found = recorded.get(key);
    if (found === undefined) {
      const owner = buffers();
      shared ??= backend.mark();
      backend.reset(shared);
      found = withRoom(recordTraining(backend, owner, shape), shape);
      recorded.set(key, found);
    }
    fill(found, batch);
    const { program, filled, weights } = found;
    backend.write(program.tokens, filled.tokens);
    backend.write(program.positions, filled.positions);
    backend.write(program.targets, filled.targets);
    backend.write(program.weights, weights);
    if (program.starts !== null) backend.write(program.starts, filled.starts);
    return program;
  }

  return {
    backend: name,
    config,
    trainStep(batch, hyper) {
      const program = load(batch);
      backend.write(buffers().hyper, hyper);
      backend.run(program.step);
      return backend.read(program.loss, loss)[0];
    },
    gradients(batch) {
      const program = load(batch);
      backend.run(program.gradients);
      return { loss: backend.read(program.loss)[0], gradients: backend.read(buffers().grads) };
    },
    parameters: () => backend.read(model.params),
    decoder(sequences = 1) {
      const at = idle.findIndex((decoder) => decoder.sequences === sequences);
      if (at >= 0) return idle.splice(at, 1)[0];
      const decoder: Decoder = {
        ...createTensorDecoder(backend, model, sequences, keepAllocated),
        close() {
          for (let sequence = 0; sequence < sequences; sequence++) decoder.restart(sequence);
          if (!idle.includes(decoder)) idle.push(decoder);
        },
      };
      return decoder;
    },
    look: looking.look,
    close: () => backend.close(),
  };
}

/**
 * Several sequences: rows are rounded up, so that there are few programs, and the spare ones become a sequence of their own that counts
 * nothing. It must fit into the context, hence the bound.
 */
function shapeOf({ tokens, starts }: Batch, blockSize: number): BatchShape {
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

function withRoom(program: TrainingProgram, shape: BatchShape): Recorded {
  const ints = (length: number) => new Int32Array(length);
  const { rows, count } = shape;
  return {
    program,
    shape,
    filled: { tokens: ints(rows), positions: ints(rows), targets: ints(rows), starts: ints(count + 1) },
    weights: new Float64Array(rows),
  };
}

function fill({ shape, filled, weights }: Recorded, batch: Batch): void {
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
