// One of the processes of bench/ranks.mjs. Rank 0 prints one JSON object.
import { splitBatch } from '../dist/data/batches.js';
import { createBenchJob } from '../dist/engine/bench-job.js';
import { createEngine } from '../dist/engine/create-engine.js';
import { joinRanks } from '../dist/node/mpi/index.js';
import { plainStep } from '../dist/train/learner.js';
import { adamHyper } from '../dist/train/optimizer.js';
import { createOrderedSum, createRanks, gather } from '../dist/train/ranks.js';

const { each, rounds, steps, ...model } = JSON.parse(process.argv[2]);
const joined = await joinRanks();
if (joined === null) throw new Error('to be started by bench/ranks.mjs, under mpirun');
const { rank, size } = joined.transport;

let bytes = 0; // that left this process
const transport = {
  ...joined.transport,
  allToAll(send, sent, receive, received) {
    for (let s = 0; s < size; s++) if (s !== rank) bytes += sent.count[s];
    joined.transport.allToAll(send, sent, receive, received);
  },
  allGather(mine, all, counts) {
    bytes += mine.length * (size - 1);
    joined.transport.allGather(mine, all, counts);
  },
};

const job = createBenchJob({ model, batchSize: each * size, steps: 1000 });
const tokens = job.batches(0).tokens.length;
const open = (ranks) => {
  const engine = createEngine('wasm', job.config, job.parameters, { ranks });
  let taken = 0;
  const step = () => {
    const request = plainStep(adamHyper(job.settings.adam, 3e-4, taken));
    const batch = job.batches(taken++);
    return engine.trainStep(size === 1 ? [batch] : splitBatch(batch, size), request);
  };
  return { engine, step };
};

const together = open(createRanks(transport));
for (let i = 0; i < 2; i++) together.step();
if (rank === 0) {
  const alone = open(undefined);
  for (let i = 0; i < 2; i++) alone.step();
  const [want, got] = [alone.engine.parameters(), together.engine.parameters()];
  if (!want.every((x, i) => Object.is(x, got[i]))) throw new Error('the weights are not those of one process');
  alone.engine.close();
}
for (let i = 0; i < 3; i++) together.step();

const meet = () => gather(joined.transport, new Float64Array(1));
let best = null;
for (let round = 0; round < rounds; round++) {
  meet();
  const [start, spent, sent] = [performance.now(), joined.transport.seconds(), bytes];
  for (let i = 0; i < steps; i++) together.step();
  const seconds = (performance.now() - start) / 1000 / steps;
  const share = (joined.transport.seconds() - spent) / steps / seconds;
  if (best === null || seconds < best.seconds) best = { seconds, share, bytes: (bytes - sent) / steps };
}

// The exchange alone, when everyone is there: what the network and the adding take.
const ordered = createOrderedSum(joined.transport, job.parameters.length, 'f32');
const exchange = () => {
  ordered.add(size);
  ordered.finish();
};
for (let i = 0; i < 3; i++) exchange();
let least = Number.POSITIVE_INFINITY;
for (let i = 0; i < 20; i++) {
  meet();
  const start = performance.now();
  exchange();
  least = Math.min(least, performance.now() - start);
}

if (rank === 0) {
  const row = {
    parameters: job.parameters.length,
    tokensPerSecond: Math.round(tokens / best.seconds),
    stepMs: Number((1000 * best.seconds).toFixed(2)),
    communicationPercent: size === 1 ? 0 : Math.round(100 * best.share),
    exchangeMs: size === 1 ? 0 : Number(least.toFixed(2)),
    bytesPerStep: Math.round(best.bytes),
  };
  process.stdout.write(`${JSON.stringify(row)}\n`);
}
meet();
joined.transport.close();
