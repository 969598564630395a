import { expect, test } from 'vitest';
import { createReferenceBackend } from '../backend/reference/reference.js';
import { corpusFromDocuments } from '../data/build.js';
import type { Backend } from '../tensor/backend.js';
import { bench, type OpenBackend, openTensors } from './bench.js';
import { expectedLoss } from './bench-check.js';
import { createBenchJob, trainingFlops } from './bench-job.js';
import { createEngine } from './create-engine.js';
import { measure } from './measure.js';

const documents = ['rex', 'bella', 'milo', 'luna', 'rocky', 'bruno', 'nala', 'simba'];
const corpus = corpusFromDocuments(documents);
const small = { nEmbd: 8, nHead: 2, nLayer: 2, blockSize: 4 };
const quick = { now: () => performance.now(), runs: 1, runMs: 1 };

test('measure: runs of equal work after warming up, the best and the middle one, by the clock that it is given', () => {
  const slowness = [1, 1, 1, 1, 1, 5, 2, 9, 3, 4]; // of each call; the last five count
  const calls: number[] = [];
  let time = 0;
  const timing = measure(
    (units) => {
      time += units * 10 * slowness[calls.length];
      calls.push(units);
    },
    { now: () => time, runs: 5, runMs: 2000 },
  );
  const n = timing.units;
  expect(n * 10).toBeGreaterThanOrEqual(2000);
  expect(calls[0]).toBe(1);
  expect(calls.slice(-5)).toEqual([n, n, n, n, n]);
  const counted = slowness.slice(calls.length - 5, calls.length).sort((a, b) => a - b);
  expect(timing.best).toBeCloseTo((n * 10 * counted[0]) / 1000, 9);
  expect(timing.median).toBeCloseTo((n * 10 * counted[2]) / 1000, 9);
});

test('operations of a step are those of the formula, on sizes that can be counted by hand', () => {
  const { config } = createBenchJob({ model: { ...small, vocabSize: 10 } });
  const matrices = 10 * 8 + 2 * 12 * 8 * 8; // lm_head, and 12·C² in each layer; tables of embeddings are looked up, not multiplied
  expect(trainingFlops(config, Int32Array.of(0, 3, 7))).toBe(6 * matrices * 7 + 2 * 6 * 8 * (3 * 4 + 4 * 5));
});

test('what the check expects is the loss of the scalar engine, which shares no code with the tensors', () => {
  const job = createBenchJob({ corpus, model: small, batchSize: 3 });
  const { batch, reference, sequences } = expectedLoss(job);
  expect(sequences).toBe(3);
  const { loss } = createEngine('value', job.config, job.parameters).gradients(batch);
  expect(Math.abs(loss - reference)).toBeLessThan(1e-12);
});

test('a first batch that is too large to check whole is checked in part', () => {
  const job = createBenchJob({ model: small, batchSize: 40 });
  const whole = job.batches(0);
  const limit = trainingFlops(job.config, whole.starts) / 3 / 10;
  const { batch, sequences } = expectedLoss(job, limit);
  expect(sequences).toBe(4);
  expect(expectedLoss(job, 1).sequences).toBe(1);
  const rows = sequences * small.blockSize;
  expect([...batch.tokens]).toEqual([...whole.tokens.subarray(0, rows)]);
  expect([...batch.targets]).toEqual([...whole.targets.subarray(0, rows)]);
  expect(batch.weights[0]).toBe(1 / rows);
});

test.each(['wasm', 'reference', 'value'] as const)('%s: passes the check and gets its numbers', (name) => {
  const job = createBenchJob({ corpus, model: small, batchSize: 2, steps: 500 });
  const row = bench(job, expectedLoss(job), name, quick);
  expect(row).toMatchObject({ backend: name, threads: 1, shared: false });
  expect(row.check.relative).toBeLessThan(1e-5);
  for (const rate of [row.stepsPerSecond, row.tokensPerSecond, row.gflops, row.decode.one, row.decode.sideBySide]) {
    expect(rate.best).toBeGreaterThan(0);
    expect(rate.median).toBeGreaterThan(0);
    expect(rate.best).toBeGreaterThanOrEqual(rate.median);
  }
  expect(row.fullRunSeconds).toBeCloseTo(500 / row.stepsPerSecond.best, 9);
  if (name === 'value') expect([row.peakGflops, row.shareOfPeak]).toEqual([null, null]);
  else expect(row.shareOfPeak).toBeCloseTo(row.gflops.best / (row.peakGflops ?? 0), 9);
});

test('a backend that computes something else is not timed', () => {
  const job = createBenchJob({ corpus, model: small, batchSize: 2 });
  let steps = 0;
  /** The reference backend, with or without a flaw. */
  const openWith =
    (flaw: (backend: Backend) => Backend): OpenBackend =>
    (of, name) => {
      const opened = openTensors(of, name, flaw(createReferenceBackend()), () => 0);
      const trainStep: typeof opened.engine.trainStep = (...given) => {
        steps++;
        return opened.engine.trainStep(...given);
      };
      return { ...opened, engine: { ...opened.engine, trainStep } };
    };
  const forgetful = (backend: Backend): Backend => ({
    ...backend,
    run: (ops) => backend.run(ops.filter(({ op }) => op !== 'activation')),
  });
  const run = (open: OpenBackend) => bench(job, expectedLoss(job), 'wasm', { ...quick, open });
  expect(() => run(openWith(forgetful))).toThrow(
    expect.objectContaining({ code: 'MG_BENCH_CHECK', message: expect.stringContaining('wasm') }),
  );
  expect(steps).toBe(0);
  // The same without the flaw is timed, so it was the flaw that was found.
  expect(run(openWith((backend) => backend)).check.relative).toBe(0);
  expect(steps).toBeGreaterThan(0);
});
