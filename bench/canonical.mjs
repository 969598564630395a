// The canonical run, 1,000 steps, timed per backend. Checks first (the last loss must be the recorded one), then times.
//   node bench/canonical.mjs [--save]      after npm run build; --save writes bench/results/canonical.json
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { createPythonRandom } from '../dist/base/python-random.js';
import { encodeDocuments, sequentialBatches } from '../dist/data/batches.js';
import { createEngine } from '../dist/engine/create-engine.js';
import { BACKENDS } from '../dist/engine/engine.js';
import { modelConfig } from '../dist/model/config.js';
import { initialParameters, parameterTable } from '../dist/model/parameters.js';
import { charTokenizerFrom } from '../dist/tokenizer/char.js';
import { RECIPES } from '../dist/train/recipes.js';
import { trainLoop } from '../dist/train/trainer.js';

const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const recipe = RECIPES.canonical;
const documents = read('test/golden/canonical/shuffled_docs_first_1000.txt').trim().split('\n');
const recorded = read('test/golden/canonical/losses.txt').trim().split('\n').map(Number);
const tokenizer = charTokenizerFrom(documents, recipe.bosPlace);
const config = modelConfig({ ...recipe.model, vocabSize: tokenizer.size });
const batches = sequentialBatches(encodeDocuments(documents, tokenizer, 'names'), 1, config.blockSize);

async function seconds(backend) {
  const random = createPythonRandom(42);
  random.shuffle(new Array(32_033).fill(0));
  const engine = createEngine(backend, config, initialParameters(parameterTable(config), recipe.spread, random.gauss));
  const start = performance.now();
  let loss = Number.NaN;
  for await (const event of trainLoop({ ...recipe, learner: engine, batches }))
    if (event.type === 'step') loss = event.loss;
  const elapsed = (performance.now() - start) / 1000;
  const bound = backend === 'wasm' ? 1e-5 : 1e-12; // f32, f64
  if (!(Math.abs(loss - recorded[999]) <= bound))
    throw new Error(`${backend}: last loss ${loss}, recorded ${recorded[999]}`);
  engine.close();
  return elapsed;
}

const result = {
  what: '1,000 canonical steps, best of 3 in one process',
  node: process.version,
  cpu: cpus()[0]?.model,
  seconds: {},
};
for (const backend of BACKENDS) {
  const runs = [];
  for (let i = 0; i < 3; i++) runs.push(await seconds(backend));
  result.seconds[backend] = Number(Math.min(...runs).toFixed(3));
  console.log(`${backend.padEnd(10)} ${runs.map((s) => s.toFixed(3)).join('  ')} s`);
}
if (process.argv.includes('--save')) {
  writeFileSync(new URL('results/canonical.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
}
