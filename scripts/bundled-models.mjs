// Trains the two small models that come with microgpt, from the corpora in datasets/, and writes them to bundled/ with 8-bit weights.
//   node scripts/bundled-models.mjs [names|chat …] [--out FOLDER]      after npm run build
// The same bytes on every machine: a test of the full tier runs this and compares. After a change of a corpus or of the numerics, run it,
// look at what the models say, and commit what it wrote.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encodeSafetensors } from '../dist/checkpoint/safetensors.js';
import { corpusFromText } from '../dist/data/build.js';
import { createTraining } from '../dist/engine/training.js';

const DATASETS = fileURLToPath(new URL('../datasets/', import.meta.url));
const BUNDLED = fileURLToPath(new URL('../bundled/', import.meta.url));
const SEED = 42;

/** Settings on top of the recipe `standard`. */
const MODELS = {
  names: {
    about: 'given names from many languages',
    text: 'names.txt',
    settings: {
      data: { format: 'lines', validation: 0.05 },
      model: { nEmbd: 64, nHead: 4, nLayer: 2, blockSize: 16 },
      adam: { learningRate: 0.003, weightDecay: 0.01 },
      steps: 5000,
      batchSize: 32,
      evalEvery: 1000,
    },
    lines: (text) => text,
  },
  chat: {
    about: 'short conversations in lower case',
    text: 'chat.jsonl',
    settings: {
      data: { format: 'chat', validation: 0, lossOn: 'assistant' },
      model: { nEmbd: 112, nHead: 4, nLayer: 2, blockSize: 128 },
      adam: { learningRate: 0.002, weightDecay: 0.02 },
      steps: 9000,
      batchSize: 16,
      evalEvery: 0,
    },
    lines: exchanges,
    reads: { exchanges: 1 },
  },
};

/**
 * Each thing that was said with its answer as a conversation of its own. A model of this size that learns whole conversations answers a
 * known question only where it knows what came before; people go from one thing to the next.
 */
function exchanges(text) {
  const talks = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const pairs = talks.flatMap((talk) => talk.flatMap((_, i) => (i % 2 === 0 ? [talk.slice(i, i + 2)] : [])));
  return [...new Set(pairs.map((pair) => JSON.stringify(pair)))].join('\n');
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string' } } });
const folder = values.out ?? BUNDLED;
mkdirSync(folder, { recursive: true });
for (const name of positionals.length > 0 ? positionals : Object.keys(MODELS)) await make(name);

async function make(name) {
  const { about, text: file, settings, lines, reads } = MODELS[name];
  const bytes = readFileSync(join(DATASETS, file));
  const { format, validation, lossOn: loss } = settings.data;
  const corpus = corpusFromText(lines(bytes.toString()), { format, heldOut: validation, loss, source: file });
  const training = createTraining({ corpus, recipe: 'standard', settings, seed: SEED, backend: 'wasm' });
  const started = process.cpuUsage();
  const seconds = () => Math.round((process.cpuUsage(started).user + process.cpuUsage(started).system) / 1e6);
  let recent = 0;
  for await (const event of training.events()) {
    if (event.type === 'eval') console.error(`${name}: step ${event.step}, validation loss ${event.loss.toFixed(4)}`);
    if (event.type !== 'step') continue;
    recent = event.step === 1 ? event.loss : 0.98 * recent + 0.02 * event.loss;
    if (event.step % 500 === 0)
      console.error(`${name}: step ${event.step}, loss ${recent.toFixed(4)}, ${seconds()} s of one core`);
  }
  const { run, ...model } = training.checkpoint();
  const data = {
    ...run.data,
    name: file,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
  const provenance = { name, about, madeBy: 'scripts/bundled-models.mjs', ...reads, ...run, data };
  const saved = encodeSafetensors({ ...model, run: provenance }, { precision: 'int8' });
  writeFileSync(join(folder, `${name}.safetensors`), saved);
  console.error(`${name}: ${training.parameters} parameters, ${saved.length} bytes, ${seconds()} s of one core`);
  training.close();
}
