/**
 * The check before a benchmark: what the reference backend computes for the first batch, every other backend must compute, too.
 * Refuses to know: clocks.
 */
import { createReferenceBackend } from '../backend/reference/reference.js';
import { MicrogptError } from '../base/errors.js';
import { type Batch, collate } from '../data/batches.js';
import { allocModel, allocTraining, recordTraining } from '../model/program.js';
import type { Backend } from '../tensor/backend.js';
import { type BenchJob, trainingFlops } from './bench-job.js';
import type { BackendName, Engine } from './engine.js';

/** How far a backend's first loss may be from the reference backend's, relative to it. */
const TOLERANCE = 1e-4;
/** Operations that the check may cost the reference backend, which does some 10⁹ a second; one sequence is checked at least. */
const CHECK_FLOPS = 6e9;

export interface Expected {
  readonly batch: Batch;
  /** Sequences of the first batch that are compared. */
  readonly sequences: number;
  readonly reference: number;
}

export interface Check {
  readonly loss: number;
  readonly reference: number;
  readonly relative: number;
  /** Sequences of the first batch that were compared. */
  readonly sequences: number;
}

/** The first batch, or as much of its front as the reference backend can check in a few seconds, and the loss that is right for it. */
export function expectedLoss(job: BenchJob, limit: number = CHECK_FLOPS): Expected {
  const whole = job.batches(0);
  const forward = trainingFlops(job.config, whole.starts) / 3;
  const all = whole.starts.length - 1;
  const sequences = Math.max(1, Math.min(all, Math.floor((all * limit) / forward)));
  const batch = sequences === all ? whole : front(whole, sequences);
  return { batch, sequences, reference: forwardLoss(createReferenceBackend(), job, batch) };
}

/** @throws MG_BENCH_CHECK when the backend's loss on the batch is not the reference backend's. */
export function checkLoss(name: BackendName, engine: Pick<Engine, 'gradients'>, expected: Expected): Check {
  const { reference, sequences, batch } = expected;
  const { loss } = engine.gradients(batch);
  const relative = Math.abs(loss - reference) / Math.abs(reference);
  if (relative <= TOLERANCE) return { loss, reference, relative, sequences };
  throw new MicrogptError(
    'MG_BENCH_CHECK',
    `the ${name} backend computes a first loss of ${loss}, the reference backend ${reference}: relative difference ${relative.toExponential(1)}, at most ${TOLERANCE} is allowed`,
    'nothing was timed; this is a bug in microgpt, please report it with the command',
  );
}

/** The first sequences of a batch. */
function front(batch: Batch, sequences: number): Batch {
  return collate(
    Array.from({ length: sequences }, (_, b) => {
      const [from, to] = [batch.starts[b], batch.starts[b + 1]];
      return Int32Array.from([...batch.tokens.subarray(from, to), batch.targets[to - 1]]);
    }),
    batch.tokens.length,
  );
}

/** The loss of a batch, computed forwards only. */
function forwardLoss(backend: Backend, job: BenchJob, batch: Batch): number {
  const model = allocModel(backend, job.config);
  backend.write(model.params, job.parameters);
  const count = batch.starts.length - 1;
  let longest = 0;
  for (let b = 0; b < count; b++) longest = Math.max(longest, batch.starts[b + 1] - batch.starts[b]);
  const program = recordTraining(backend, allocTraining(backend, model), { rows: batch.tokens.length, count, longest });
  backend.write(program.tokens, batch.tokens);
  backend.write(program.positions, batch.positions);
  backend.write(program.targets, batch.targets);
  backend.write(program.weights, batch.weights);
  if (program.starts) backend.write(program.starts, batch.starts);
  const end = program.gradients.findIndex(({ op }) => op === 'crossEntropy') + 1;
  backend.run(program.gradients.slice(0, end));
  return backend.read(program.loss)[0];
}
