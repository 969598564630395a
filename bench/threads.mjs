// From which size on sharing a training step, or a step of decoding, among threads pays: the evidence for SHARED_WORK.
//   node bench/threads.mjs [--threads N] [--rounds N] [--save]   after npm run build
// One engine shares everything, one nothing; they take turns, a few ms each, and the best of many turns counts on either side, because a shared
// machine is at times half as fast. The third column of times is what users get: shared from SHARED_WORK on, and only while it is faster.
// Checks first: ten steps on either side leave the same weights. --save writes bench/results/threads.json.
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { createWasmBackend, SHARED_WORK } from '../dist/backend/wasm/index.js';
import { workOf } from '../dist/backend/wasm/work.js';
import { createBenchJob } from '../dist/engine/bench-job.js';
import { createTensorEngine } from '../dist/engine/tensor-engine.js';
import { nodeThreads } from '../dist/node/threads.js';
import { plainStep } from '../dist/train/learner.js';
import { adamHyper } from '../dist/train/optimizer.js';

const { values: flags } = parseArgs({
  options: {
    threads: { type: 'string', default: String(Math.max(2, availableParallelism())) },
    rounds: { type: 'string', default: '60' },
    save: { type: 'boolean', default: false },
  },
});
const count = Number(flags.threads);
const TURN_MS = 4;

/** Layers, width, context, sequences of a training step; or rows of a decoding step, one for each sequence. */
const TRAINING = [
  [1, 16, 16, 1],
  [1, 16, 16, 4],
  [1, 16, 16, 8],
  [1, 32, 16, 4],
  [1, 32, 16, 8],
  [1, 32, 16, 16],
  [2, 64, 16, 16],
  [2, 64, 32, 16],
  [4, 128, 64, 4],
  [4, 128, 64, 12],
];
const DECODING = [
  [2, 64, 64, 8],
  [2, 64, 64, 32],
  [4, 128, 64, 1],
  [4, 128, 64, 8],
  [4, 128, 64, 32],
  [6, 384, 256, 1],
  [6, 384, 256, 8],
];

/** The three sides: alone, always shared, and what users get. Each counts the work of its last run. */
const sides = [undefined, { ...nodeThreads(count), sharedWork: 0 }, nodeThreads(count)];

function open(threads, { config, parameters }) {
  const backend = createWasmBackend(threads ? { threads } : {});
  const of = { work: 0, sharedRuns: backend.sharedRuns };
  const counted = {
    ...backend,
    run(ops) {
      of.ops = ops;
      backend.run(ops);
    },
  };
  return Object.assign(of, { engine: createTensorEngine('wasm', counted, config, parameters), taken: 0 });
}

function trainingSides([nLayer, nEmbd, blockSize, batchSize]) {
  const job = createBenchJob({ model: { nLayer, nEmbd, nHead: 4, blockSize }, batchSize, steps: 1000 });
  return sides.map((threads) => {
    const side = open(threads, job);
    const step = () =>
      side.engine.trainStep(
        [job.batches(side.taken % 8)],
        plainStep(adamHyper(job.settings.adam, 0.001, side.taken++)),
      );
    return Object.assign(side, { step, result: () => side.engine.parameters() });
  });
}

function decodingSides([nLayer, nEmbd, blockSize, rows]) {
  const job = createBenchJob({ model: { nLayer, nEmbd, nHead: 4, blockSize } });
  const of = Array.from({ length: rows }, (_, row) => row);
  return sides.map((threads) => {
    const side = open(threads, job);
    const decoder = side.engine.decoder(rows);
    let logits;
    const step = () => {
      if (decoder.position(0) === blockSize) for (const row of of) decoder.restart(row);
      const tokens = of.map((row) => (row * 7 + side.taken * 13) % job.config.vocabSize);
      side.taken++;
      logits = decoder.read(tokens, of);
    };
    return Object.assign(side, { step, result: () => logits });
  });
}

function measure(what, sizes, engines) {
  for (const side of engines) for (let i = 0; i < 10; i++) side.step();
  const [expected, got] = engines.map((side) => Buffer.from(new Float64Array(side.result()).buffer));
  if (!expected.equals(got)) throw new Error(`${what} ${sizes}: the bits differ`);
  if (engines[1].sharedRuns() === 0) throw new Error('the threads did not start');
  const turn = (side, steps) => {
    const start = performance.now();
    for (let i = 0; i < steps; i++) side.step();
    return (1000 * (performance.now() - start)) / steps;
  };
  for (const side of engines) turn(side, Math.ceil(100_000 / turn(side, 5))); // compiled, and past the first trials
  const steps = Math.max(2, Math.ceil((1000 * TURN_MS) / turn(engines[0], 5)));
  const best = engines.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < Number(flags.rounds); round++) {
    engines.forEach((side, i) => {
      best[i] = Math.min(best[i], turn(side, steps));
    });
  }
  const work = workOf(engines[0].ops);
  for (const side of engines) side.engine.close();
  const [alone, shared, usual] = best.map((us) => Number(us.toPrecision(4)));
  return { what, sizes, work, alone, shared, usual, speedUp: Number((alone / shared).toFixed(2)) };
}

const cells = (...texts) => console.log(texts.map((t, i) => (i === 0 ? t.padEnd(28) : t.padStart(12))).join(''));
cells('work', 'mult.-adds', 'alone, µs', 'shared', 'speed-up', 'as used');
const rows = [];
for (const [what, list, sidesOf] of [
  ['training', TRAINING, trainingSides],
  ['decoding', DECODING, decodingSides],
]) {
  for (const sizes of list) {
    const row = measure(what, sizes, sidesOf(sizes));
    rows.push(row);
    const [layers, width, context, many] = sizes;
    cells(
      `${what} ${layers} × ${width}, ${context}, ${many}`,
      `${(row.work / 1e6).toFixed(2)} M`,
      ...[row.alone, row.shared, row.speedUp, row.usual].map(String),
    );
  }
}
const slower = rows.filter((row) => row.speedUp < 1).map((row) => row.work);
console.log(
  `sharing was slower up to ${(Math.max(0, ...slower) / 1e6).toFixed(2)} M; SHARED_WORK is ${SHARED_WORK / 1e6} M`,
);
if (flags.save) {
  const result = {
    what: `a step in µs, alone and shared among ${count} threads, best of ${flags.rounds} turns of ${TURN_MS} ms; sizes: layers, width, context, sequences`,
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: availableParallelism(),
    sharedWork: SHARED_WORK,
    rows,
  };
  writeFileSync(new URL('results/threads.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
}
