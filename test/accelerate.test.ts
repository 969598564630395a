// --accelerate: the recorded losses with BLAS on, and a run whose library is missing.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeDocuments, sequentialBatches } from '../src/data/batches.js';
import { createEngine } from '../src/engine/create-engine.js';
import { modelConfig } from '../src/model/config.js';
import { initialParameters, parameterTable } from '../src/model/parameters.js';
import { openBlas } from '../src/node/blas/index.js';
import { charTokenizerFrom } from '../src/tokenizer/char.js';
import { RECIPES } from '../src/train/recipes.js';
import { trainLoop } from '../src/train/trainer.js';
import { microgpt, temporaryFolder } from './cli.js';
import { goldenLosses, randomAfterShuffle, shuffledNames } from './golden.js';
import { testWith } from './needs.js';

const blas = await openBlas({ threads: 1 });

testWith('missing' in blas ? blas.missing : null, '1,000 canonical losses with every product by BLAS', async () => {
  if ('missing' in blas) return;
  const recipe = RECIPES.canonical;
  const documents = shuffledNames();
  const tokenizer = charTokenizerFrom(documents, recipe.bosPlace);
  const config = modelConfig({ ...recipe.model, vocabSize: tokenizer.size });
  const initial = initialParameters(parameterTable(config), recipe.spread, randomAfterShuffle().gauss);
  let calls = 0;
  const learner = createEngine('wasm', config, initial, {
    products: {
      gemm: (...product) => {
        calls++;
        blas.found.gemm(...product);
      },
      least: 0,
      leastRows: 0,
    },
  });
  const batches = sequentialBatches(encodeDocuments(documents, tokenizer, 'names'), 1, config.blockSize);
  const losses: number[] = [];
  for await (const event of trainLoop({ ...recipe, learner, batches }))
    if (event.type === 'step') losses.push(event.loss);
  const recorded = goldenLosses('canonical/losses.txt');
  expect(losses.length).toBe(1000);
  const worst = Math.max(...losses.map((loss, i) => Math.abs(loss - (recorded[i] as number))));
  expect(worst).toBeLessThan(1e-4);
  expect(calls).toBeGreaterThan(10_000);
});

testWith(
  'missing' in blas ? blas.missing : null,
  'a run says who computed its products, and that another goes on',
  async () => {
    if ('missing' in blas) return;
    const cwd = temporaryFolder();
    const train = (...words: string[]) => microgpt(['train', ...words, '--samples', '0', '--threads', '1'], { cwd });
    const first = await train('names', '--steps', '8', '--stop-after', '4', '--run', 'run', '--accelerate', 'blas');
    expect(first.code, first.stderr).toBe(0);
    expect(first.stderr).not.toContain('note: matrix products: ');
    const second = await train('--resume', 'run');
    expect(second.code, second.stderr).toBe(0);
    expect(second.stderr).toContain(`note: matrix products: ${blas.found.about}, then the Wasm kernels`);
    const { stdout } = await microgpt(['info', 'run'], { cwd });
    expect(stdout).toContain(`by ${blas.found.about}, then the Wasm kernels (--accelerate)`);
    expect((await microgpt(['report', 'run'], { cwd })).code).toBe(0);
    expect(readFileSync(join(cwd, 'run/report.html'), 'utf8')).toContain(blas.found.about);
  },
);

test('a library that is missing or is no BLAS is one note, and the run is that without --accelerate', async () => {
  const cwd = temporaryFolder();
  const args = ['train', 'names', '--steps', '20', '--samples', '0'];
  const model = (run: string) =>
    createHash('sha256')
      .update(readFileSync(join(cwd, run, 'model.safetensors')))
      .digest('hex');
  expect((await microgpt([...args, '--run', 'plain'], { cwd })).code).toBe(0);
  for (const library of ['/no/such/libblas.so', 'libm.so.6']) {
    const outcome = await microgpt([...args, '--run', 'asked', '--accelerate', 'auto', '--overwrite'], {
      cwd,
      env: { MICROGPT_BLAS: library },
    });
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stderr.match(/^note: --accelerate auto: .*The Wasm kernels compute instead/gm)).toHaveLength(1);
    expect(model('asked')).toBe(model('plain'));
  }
});

test('--accelerate serves the wasm backend only, and says so', async () => {
  const cwd = temporaryFolder();
  const args = ['train', 'names', '--steps', '1', '--samples', '0', '--backend', 'value', '--accelerate', 'blas'];
  const outcome = await microgpt(args, { cwd });
  expect(outcome).toMatchObject({ code: 0, stderr: expect.stringContaining('it serves the wasm backend, not value') });
});
