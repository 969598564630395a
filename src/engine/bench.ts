/**
 * Benchmarks of training and generating: check first, then time. A backend whose first loss is not the reference backend's is not timed.
 * Refuses to know: clocks (handed in), files, screens. Invariant: a step is timed as training does it, batch and schedule included, and
 * every run that counts takes the same batches.
 */
import { createReferenceBackend } from '../backend/reference/reference.js';
import { createWasmBackend, type Threads } from '../backend/wasm/index.js';
import type { Products } from '../backend/wasm/products.js';
import { MicrogptError } from '../base/errors.js';
import { generateSamples } from '../generate/generate.js';
import { counterDraw } from '../generate/sampler.js';
import type { Backend } from '../tensor/backend.js';
import { plainStep } from '../train/learner.js';
import { adamHyper } from '../train/optimizer.js';
import { scheduleAt } from '../train/schedules.js';
import { type Check, checkLoss, type Expected } from './bench-check.js';
import { type BenchJob, workOf } from './bench-job.js';
import type { BackendName, Engine } from './engine.js';
import { type Clock, type MeasureOptions, measure, type Timing } from './measure.js';
import { requireMemory } from './memory.js';
import { createTensorEngine } from './tensor-engine.js';
import { createValueEngine } from './value-engine.js';

const PEAK_SIZE = 256;
const SIDE_BY_SIDE = 32;

/** A backend that was opened to be measured. */
export interface BenchEngine {
  readonly engine: Engine;
  /** One product [256,256]·[256,256]ᵀ on the same backend and threads; null where there are no tensors. */
  readonly product: (() => void) | null;
  /** How many runs were shared among threads so far. */
  sharedRuns(): number;
}

export type OpenBackend = (
  job: BenchJob,
  backend: BackendName,
  threads: Threads | undefined,
  products?: Products | undefined,
) => BenchEngine;

export interface Rate {
  readonly best: number;
  readonly median: number;
}

export interface BenchRow {
  readonly backend: BackendName;
  readonly threads: number;
  /** Whether the training step was large enough to be shared among threads. */
  readonly shared: boolean;
  readonly check: Check;
  readonly stepsPerSecond: Rate;
  /** Predictions learned from. */
  readonly tokensPerSecond: Rate;
  readonly gflops: Rate;
  /** The best matrix product before and after, in GFLOP/s, and the best training step's share of it. */
  readonly peakGflops: number | null;
  readonly shareOfPeak: number | null;
  readonly fullRunSeconds: number;
  /** Tokens drawn per second, one sequence at a time and 32 side by side. */
  readonly decode: { readonly one: Rate; readonly sideBySide: Rate; readonly sequences: number };
}

/** Checks, then times one backend. @throws MG_BENCH_CHECK when its first loss is not the reference backend's, MG_ENGINE_MEMORY */
export function bench(
  job: BenchJob,
  expected: Expected,
  name: BackendName,
  {
    threads,
    products,
    open = openBackend,
    ...timing
  }: MeasureOptions & {
    readonly threads?: Threads | undefined;
    readonly products?: Products | undefined;
    readonly open?: OpenBackend | undefined;
  },
): BenchRow {
  const { engine, product, sharedRuns } = open(job, name, threads, products);
  try {
    const check = checkLoss(name, engine, expected);
    const before = product && peak(product, timing);
    const sharedBefore = sharedRuns();
    const training = timeTraining(job, engine, timing);
    const shared = sharedRuns() > sharedBefore;
    const after = product && peak(product, timing);
    const peakGflops = before && after && Math.max(before, after);
    const { predictions, flops } = workOf(job, training.units);
    const per = (amount: number): Rate => ({ best: amount / training.best, median: amount / training.median });
    const gflops = per(flops / 1e9);
    return {
      backend: name,
      threads: threads?.count ?? 1,
      shared,
      check,
      stepsPerSecond: per(training.units),
      tokensPerSecond: per(predictions),
      gflops,
      peakGflops,
      shareOfPeak: peakGflops && gflops.best / peakGflops,
      fullRunSeconds: (job.steps * training.best) / training.units,
      decode: {
        one: timeDecoding(job, engine, 1, timing),
        sideBySide: timeDecoding(job, engine, SIDE_BY_SIDE, timing),
        sequences: SIDE_BY_SIDE,
      },
    };
  } finally {
    engine.close();
  }
}

export const openBackend: OpenBackend = (job, name, threads, products) => {
  requireMemory(name, job.config, job.batchSize, job.config.blockSize);
  if (name === 'value') {
    return { engine: createValueEngine(job.config, job.parameters), product: null, sharedRuns: () => 0 };
  }
  if (name === 'reference') return openTensors(job, name, createReferenceBackend(), () => 0);
  const backend = createWasmBackend({ products, ...(threads ? { threads } : {}) });
  return openTensors(job, name, backend, backend.sharedRuns);
};

/** An engine on a backend, and the matrix product that its speed is compared with. */
export function openTensors(job: BenchJob, name: BackendName, backend: Backend, sharedRuns: () => number): BenchEngine {
  const square = () => backend.alloc([PEAK_SIZE, PEAK_SIZE]);
  const [x, w, out] = [square(), square(), square()];
  const numbers = Float64Array.from({ length: PEAK_SIZE ** 2 }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5);
  backend.write(x, numbers);
  backend.write(w, numbers);
  const ops = [{ op: 'linear', x, w, bias: null, out }] as const;
  return {
    engine: createTensorEngine(name, backend, job.config, job.parameters),
    product: () => backend.run(ops),
    sharedRuns,
  };
}

/** GFLOP/s of the best short run of products. */
function peak(product: () => void, { now }: { readonly now: Clock }): number {
  const { best, units } = measure(
    (n) => {
      for (let i = 0; i < n; i++) product();
    },
    { now, runs: 10, runMs: 20 },
  );
  return (2 * PEAK_SIZE ** 3 * units) / best / 1e9;
}

/** Step `taken` (from 0) as training takes it, on its own batch or on another. @throws MG_TRAIN_NONFINITE */
export function trainStep(
  { settings, batches, steps }: BenchJob,
  engine: Engine,
  taken: number,
  batch: number = taken,
): void {
  const rate = settings.adam.learningRate * scheduleAt(settings.schedule, taken % steps, steps);
  const { loss } = engine.trainStep([batches(batch)], plainStep(adamHyper(settings.adam, rate, taken)));
  if (Number.isFinite(loss)) return;
  throw new MicrogptError(
    'MG_TRAIN_NONFINITE',
    `the loss became ${loss} at step ${taken + 1} of the benchmark`,
    'choose other sizes',
  );
}

function timeTraining(job: BenchJob, engine: Engine, timing: MeasureOptions): Timing {
  let taken = 0;
  return measure((n) => {
    for (let i = 0; i < n; i++, taken++) trainStep(job, engine, taken, i); // every run takes the same batches
  }, timing);
}

function timeDecoding(job: BenchJob, engine: Engine, sequences: number, timing: MeasureOptions): Rate {
  const { bos, config, settings } = job;
  const { blockSize, vocabSize } = config;
  const decoder = engine.decoder(sequences);
  const draw = counterDraw(42);
  let tokens = 0;
  const { best, median } = measure((n) => {
    const samples = generateSamples(decoder, {
      samples: n * sequences,
      bos,
      prompt: [],
      blockSize,
      vocabSize,
      temperature: settings.temperature,
      draw,
    });
    // What was drawn: the sample, and the BOS that ended it before the context was full.
    tokens = samples.reduce((sum, sample) => sum + Math.min(sample.length + 1, blockSize), 0);
  }, timing);
  return { best: tokens / best, median: tokens / median };
}
