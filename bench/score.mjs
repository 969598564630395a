// What people do with a model that is there: lines scored per second, through a process, from standard input; one name; a keystroke.
// Checks first (the score of every line against the library's), then times. Uses one thread.
//   node bench/score.mjs [--save]      after npm run build; --save writes bench/results/score.json
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPythonRandom } from '../dist/base/python-random.js';
import { createCharTokenizer, createCompleter, decodeModel, generate, modelConfig, score } from '../dist/index.js';
import { initialParameters, parameterTable } from '../dist/model/parameters.js';

const BIN = fileURLToPath(new URL('../bin/microgpt.js', import.meta.url));
const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const file = read('test/golden/canonical/model_seed0_format.json');
const model = decodeModel(new TextEncoder().encode(file), 'canonical', { activation: 'relu' }).checkpoint;
const names = read('test/golden/canonical/shuffled_docs_first_1000.txt').trim().split('\n');

/** Runs the command once over so many lines: seconds from start to end of the process, all of it. */
function scoreProcess(folder, lines) {
  const start = performance.now();
  const child = spawn(process.execPath, [BIN, 'score', '--model', join(folder, 'model.json'), '--activation', 'relu'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  child.stdin.end(`${lines.join('\n')}\n`);
  return new Promise((done) => {
    child.on('close', () => done({ seconds: (performance.now() - start) / 1000, out }));
  });
}

async function linesPerSecond() {
  const folder = mkdtempSync(join(tmpdir(), 'microgpt-bench-'));
  writeFileSync(join(folder, 'model.json'), file);
  try {
    const few = await scoreProcess(folder, names);
    const expected = score(model, names).map(
      (one, i) => `${one.bitsPerCharacter.toFixed(4)}\t${one.logProbability.toFixed(4)}\t-\t${names[i]}\n`,
    );
    if (few.out !== expected.join('')) throw new Error('the command prints other scores than the library gives');
    const many = Array.from({ length: 100 }, () => names).flat();
    const runs = [];
    for (let i = 0; i < 3; i++) runs.push(many.length / (await scoreProcess(folder, many)).seconds);
    return Math.round(median(runs));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** µs for one name of many, asked for together. */
function microsecondsPerName() {
  const samples = 20_000;
  generate(model, { samples: 1000 });
  const runs = Array.from({ length: 3 }, (_, seed) => {
    const start = performance.now();
    generate(model, { samples, seed });
    return ((performance.now() - start) * 1000) / samples;
  });
  return Number(median(runs).toFixed(1));
}

/** ms for the five likeliest continuations after one more character, 4 layers × 128 wide, a text of 100 characters. */
function millisecondsPerKeystroke() {
  const tokenizer = createCharTokenizer([...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)), null]);
  const config = modelConfig({ nEmbd: 128, nHead: 4, nLayer: 4, blockSize: 128, vocabSize: tokenizer.size });
  const { gauss } = createPythonRandom(1);
  const parameters = initialParameters(parameterTable(config), { std: 0.08, residualStd: 0.08 }, gauss);
  const completer = createCompleter({ config, tokenizer, parameters });
  const text = 'the quick brown fox jumps over the lazy dog and then it goes on to something that is much more lazy';
  const times = [];
  for (let round = 0; round < 20; round++) {
    completer.complete('');
    for (let end = 1; end <= text.length; end++) {
      const typed = text.slice(0, end);
      const start = performance.now();
      completer.complete(typed);
      times.push(performance.now() - start);
    }
  }
  completer.close();
  const sorted = times.slice(text.length).sort((a, b) => a - b); // without the first round
  return {
    median: Number(median(sorted).toFixed(3)),
    p99: Number(sorted[Math.floor(sorted.length * 0.99)].toFixed(3)),
  };
}

const result = {
  what: 'canonical model: lines scored per second from standard input, start of the process included (bar: 10,000), µs per generated name (bar: 50); 4 × 128 model: ms per keystroke (bar: 1)',
  node: process.version,
  cpu: cpus()[0]?.model,
  linesPerSecond: await linesPerSecond(),
  microsecondsPerName: microsecondsPerName(),
  millisecondsPerKeystroke: millisecondsPerKeystroke(),
};
console.log(result);
if (process.argv.includes('--save')) {
  writeFileSync(new URL('results/score.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
}
