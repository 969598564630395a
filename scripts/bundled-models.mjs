// Trains the two small models that come with microgpt, from the corpora in datasets/, and writes them to bundled/ with 8-bit weights.
//   node scripts/bundled-models.mjs [names|chat …] [--out FOLDER]      after npm run build
// The same bytes on every machine: a test of the full tier runs this and compares. After a change of a corpus or of the numerics, run it,
// look at what the models say, and commit what it wrote.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createPythonRandom } from '../dist/base/python-random.js';
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
      model: { nEmbd: 64, nHead: 4, nLayer: 1, blockSize: 16, finalNorm: false },
      adam: { learningRate: 0.005, weightDecay: 0.01 },
      schedule: 'linear',
      floor: 0,
      steps: 4000,
      batchSize: 64,
      evalEvery: 1000,
    },
    lines: (text) => text,
  },
  chat: {
    about: 'short conversations in lower case',
    text: 'chat.jsonl',
    settings: {
      data: { format: 'chat', validation: 0, lossOn: 'assistant' },
      model: { nEmbd: 128, nHead: 4, nLayer: 2, blockSize: 160, finalNorm: false },
      adam: { learningRate: 0.003, weightDecay: 0.1 },
      schedule: 'linear',
      floor: 0,
      steps: 5000,
      batchSize: 8,
      evalEvery: 0,
    },
    lines: joinedConversations,
  },
};

/**
 * Conversations one after the other, as many as the context holds, in a new order each time round: somebody who chats goes from one thing
 * to the next, and the model must answer what was said last. A conversation that does not fit goes on in the next line.
 */
function joinedConversations(text, { steps, batchSize, model }) {
  const talks = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const random = createPythonRandom(SEED);
  const lines = [];
  let turns = [];
  let room = model.blockSize - 1; // after BOS
  while (lines.length < steps * batchSize) {
    random.shuffle(talks);
    for (const talk of talks) {
      for (let i = 0; i < talk.length; i += 2) {
        const [asked, answered] = [talk[i], talk[i + 1]];
        const tokens = asked.content.length + answered.content.length + 4; // each between a role and its end
        if (tokens > room) {
          lines.push(JSON.stringify(turns));
          turns = [];
          room = model.blockSize - 1;
        }
        turns.push(asked, answered);
        room -= tokens;
      }
    }
  }
  return lines.slice(0, steps * batchSize).join('\n');
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string' } } });
const folder = values.out ?? BUNDLED;
mkdirSync(folder, { recursive: true });
for (const name of positionals.length > 0 ? positionals : Object.keys(MODELS)) await make(name);

async function make(name) {
  const { about, text: file, settings, lines } = MODELS[name];
  const bytes = readFileSync(join(DATASETS, file));
  const { format, validation, lossOn: loss } = settings.data;
  const corpus = corpusFromText(lines(bytes.toString(), settings), { format, heldOut: validation, loss, source: file });
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
  const provenance = { name, about, madeBy: 'scripts/bundled-models.mjs', ...run, data };
  const saved = encodeSafetensors({ ...model, run: provenance }, { precision: 'int8' });
  writeFileSync(join(folder, `${name}.safetensors`), saved);
  console.error(`${name}: ${training.parameters} parameters, ${saved.length} bytes, ${seconds()} s of one core`);
  training.close();
}
