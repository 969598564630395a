// Quality per second: the loss on held-out names after 1, 10 and 60 seconds of training with the default sizes for that time.
// The steps that fit are measured as `train --time` does, then trained; "seconds" is all of it from start to end, measuring included.
//   node bench/quality.mjs [seconds …] [--data FILE] [--threads N] [--save]      after npm run build; --save writes bench/results/quality.json
// The text is the well-known list of 32,033 names, from $MICROGPT_CORPORA or fetched once; about 2,000 of them are held out.
import { existsSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stepsThatFit } from '../dist/cli/train/time.js';
import { createTraining } from '../dist/index.js';
import { DOWNLOADS, fetchCorpus, openCorpus } from '../dist/node/index.js';
import { nodeThreads } from '../dist/node/threads.js';

const HELD_OUT = 2000 / 32_033;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: 'string' }, threads: { type: 'string' }, save: { type: 'boolean' } },
});

async function namesFile() {
  const kept = join(process.env.MICROGPT_CORPORA ?? '', 'names.txt');
  if (process.env.MICROGPT_CORPORA && existsSync(kept)) return kept;
  return (await fetchCorpus(DOWNLOADS.find(({ name }) => name === 'names'))).path;
}

const threads = nodeThreads(values.threads === undefined ? undefined : Number(values.threads));
const corpus = await openCorpus(values.data ?? (await namesFile()), { format: 'lines', heldOut: HELD_OUT });

async function record(seconds) {
  const start = performance.now();
  const options = { corpus, recipe: 'standard', seconds, threads, settings: { data: { validation: HELD_OUT } } };
  const steps = await stepsThatFit(options, seconds);
  const training = createTraining({ ...options, steps });
  let loss = Number.NaN;
  let best = Number.POSITIVE_INFINITY;
  for await (const event of training.events()) {
    if (event.type !== 'eval') continue;
    loss = event.loss;
    best = Math.min(best, event.loss);
  }
  const took = (performance.now() - start) / 1000;
  const { config, parameters, settings } = training;
  training.close();
  return {
    budget: seconds,
    seconds: Number(took.toFixed(2)),
    steps,
    loss: Number(loss.toFixed(4)),
    best: Number(best.toFixed(4)), // the model that train keeps
    model: `${config.nEmbd} wide, ${config.nLayer} layer${config.nLayer === 1 ? '' : 's'}, ${parameters} parameters`,
    batchSize: settings.batchSize,
  };
}

const rows = [];
for (const seconds of positionals.length > 0 ? positionals.map(Number) : [1, 10, 60]) {
  const row = await record(seconds);
  rows.push(row);
  console.log(
    `${String(row.budget).padStart(3)} s  loss ${row.best.toFixed(4)} (at the end ${row.loss.toFixed(4)}) after ${row.seconds} s, ` +
      `${row.steps} steps of ${row.batchSize} names, ${row.model}`,
  );
}
if (values.save) {
  const result = {
    what: 'nats per character of held-out names after so many seconds of training, default sizes',
    node: process.version,
    cpu: cpus()[0]?.model,
    threads: threads.count,
    heldOutNames: corpus.facts.heldOut,
    rows,
  };
  writeFileSync(new URL('results/quality.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
}
