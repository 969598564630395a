// Trains the two small models that come with microgpt, from the corpora in datasets/, and writes them to bundled/.
//   node scripts/bundled-models.mjs [names|chat …] [--out FOLDER]      after npm run build
// The same bytes on every machine: a test of the full tier runs this again and compares. After a change of a corpus or of the numerics, run it,
// look at what the models say, and commit what it wrote.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encodeSafetensors } from '../dist/checkpoint/safetensors.js';
import { createTraining } from '../dist/engine/training.js';
import { openCorpus } from '../dist/node/corpus.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Settings on top of the recipe `standard`. One thread is enough: the bits would be the same with more. */
const MODELS = {
  names: {
    data: 'datasets/names.txt',
    corpus: { format: 'lines', heldOut: 0.05 },
    settings: {
      data: { validation: 0.05 },
      model: { nEmbd: 64, nHead: 4, nLayer: 2, blockSize: 16, finalNorm: false },
      adam: { learningRate: 0.003, weightDecay: 0.01 },
      steps: 3000,
      batchSize: 32,
      evalEvery: 1000,
    },
  },
  chat: {
    data: 'datasets/chat.jsonl',
    corpus: { format: 'chat', heldOut: 0, loss: 'all' },
    settings: {
      data: { validation: 0, lossOn: 'all' },
      model: { nEmbd: 112, nHead: 4, nLayer: 2, blockSize: 160, finalNorm: false },
      adam: { learningRate: 0.002, weightDecay: 0.1 },
      steps: Number(process.env.CHAT_STEPS ?? 5000),
      batchSize: 16,
      evalEvery: 0,
    },
  },
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string' } } });
const folder = values.out ?? join(ROOT, 'bundled');
mkdirSync(folder, { recursive: true });
for (const name of positionals.length > 0 ? positionals : Object.keys(MODELS)) await make(name);

async function make(name) {
  const { data, corpus: how, settings } = MODELS[name];
  const corpus = await openCorpus(join(ROOT, data), how);
  const training = createTraining({ corpus, recipe: 'standard', settings, seed: 42, backend: 'wasm' });
  const started = performance.now();
  let recent = 0;
  for await (const event of training.events()) {
    if (event.type === 'eval') console.error(`${name}: step ${event.step}, validation loss ${event.loss.toFixed(4)}`);
    if (event.type !== 'step') continue;
    recent = event.step === 1 ? event.loss : 0.99 * recent + 0.01 * event.loss;
    if (event.step % 500 === 0) console.error(`${name}: step ${event.step}, loss ${recent.toFixed(4)}`);
  }
  const bytes = encodeSafetensors(training.checkpoint(), { precision: 'int8' });
  writeFileSync(join(folder, `${name}.safetensors`), bytes);
  const seconds = Math.round((performance.now() - started) / 1000);
  console.error(`${name}: ${training.parameters} parameters, ${bytes.length} bytes, ${seconds} s`);
  training.close();
}
