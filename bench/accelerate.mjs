// Training with matrix products by the system's BLAS and by the Wasm kernels: tokens a second of both in one run, in turns, and their ratio.
//   node bench/accelerate.mjs [--rounds N] [--round-ms N] [--threads 1,2] [--save]   after npm run build; see docs/accelerate.md for the library
// Checks first: the losses of three steps must agree to 1e-4. Unset OPENBLAS_CORETYPE, or it decides which kernels OpenBLAS takes.
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { createBenchJob } from '../dist/engine/bench-job.js';
import { createEngine } from '../dist/engine/create-engine.js';
import { openBlas } from '../dist/node/blas/index.js';
import { nodeThreads } from '../dist/node/threads.js';
import { plainStep } from '../dist/train/learner.js';
import { adamHyper } from '../dist/train/optimizer.js';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    'round-ms': { type: 'string', default: '2000' },
    threads: { type: 'string', default: [...new Set([1, availableParallelism()])].join() },
    save: { type: 'boolean', default: false },
  },
});
const SIZES = [
  { name: '2 × 64, context 32, batch 16', nLayer: 2, nEmbd: 64, nHead: 4, blockSize: 32, batchSize: 16 },
  { name: '4 × 128, context 64, batch 12', nLayer: 4, nEmbd: 128, nHead: 4, blockSize: 64, batchSize: 12 },
  { name: '6 × 384, context 256, batch 4', nLayer: 6, nEmbd: 384, nHead: 6, blockSize: 256, batchSize: 4 },
];

const rows = [];
let about = null;
for (const { name, batchSize, ...model } of SIZES) {
  const job = createBenchJob({ model, batchSize, steps: 1000 });
  const tokens = job.batches(0).tokens.length;
  for (const count of flags.threads.split(',').map(Number)) {
    const blas = await openBlas({ threads: count });
    if ('missing' in blas) throw new Error(blas.missing);
    about = blas.found.about;
    const threads = count > 1 ? nodeThreads(count) : undefined;
    const open = (products) => ({
      engine: createEngine('wasm', job.config, job.parameters, { threads, products }),
      taken: 0,
      seconds: [],
    });
    const sides = { kernels: open(undefined), blas: open(blas.found) };
    const step = (side) => {
      const { adam } = job.settings;
      const request = plainStep(adamHyper(adam, 3e-4, side.taken));
      return side.engine.trainStep([job.batches(side.taken++)], request).loss;
    };
    for (let i = 0; i < 3; i++) {
      const [want, got] = [step(sides.kernels), step(sides.blas)];
      if (!(Math.abs(got - want) < 1e-4 * want)) throw new Error(`${name}: step ${i + 1}: ${got} is not ${want}`);
    }
    for (let round = 0; round < Number(flags.rounds); round++) {
      for (const side of Object.values(sides)) {
        const start = performance.now();
        let steps = 0;
        while (performance.now() - start < Number(flags['round-ms'])) {
          step(side);
          steps++;
        }
        side.seconds.push((performance.now() - start) / 1000 / steps);
      }
    }
    const best = (side) => Math.round(tokens / Math.min(...side.seconds));
    const row = { work: name, threads: count, kernels: best(sides.kernels), blas: best(sides.blas) };
    row.ratio = Number((row.blas / row.kernels).toFixed(2));
    rows.push(row);
    console.log(
      `${name}, ${count} thread${count > 1 ? 's' : ''}: kernels ${row.kernels} tokens/s, BLAS ${row.blas}: × ${row.ratio}`,
    );
    for (const { engine } of Object.values(sides)) engine.close();
  }
}
const result = {
  what: 'tokens a second in training, best round',
  node: process.version,
  cpu: cpus()[0]?.model,
  library: about,
  rows,
};
if (flags.save)
  writeFileSync(new URL('results/accelerate.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
