/**
 * Whole models with BLAS: the gradients of a training step against the reference backend, with sizes on both sides of the crossover.
 */
import { describe, expect, test } from 'vitest';
import { cannotRun } from '../../../test/needs.js';
import type { Gemm } from '../../backend/wasm/products.js';
import { createPythonRandom } from '../../base/python-random.js';
import { collate } from '../../data/batches.js';
import { createEngine } from '../../engine/create-engine.js';
import { modelConfig } from '../../model/config.js';
import { initialParameters, parameterTable } from '../../model/parameters.js';
import { nodeThreads } from '../threads.js';
import { openBlas } from './index.js';

const blas = await openBlas({ threads: 1 });

const MODELS = {
  'canonical sizes': { choices: { nEmbd: 16, nHead: 4, blockSize: 16 }, batch: 1 },
  'two layers of 64, layernorm, gelu, biases': {
    choices: { nEmbd: 64, nHead: 4, nLayer: 2, blockSize: 32, norm: 'layernorm', activation: 'gelu', bias: true },
    batch: 8,
  },
} as const;

function job({ choices, batch }: (typeof MODELS)[keyof typeof MODELS]) {
  const config = modelConfig({ ...choices, vocabSize: 31 });
  const random = createPythonRandom(5);
  const parameters = initialParameters(parameterTable(config), { std: 0.2, residualStd: 0.1 }, random.gauss);
  const lines = Array.from({ length: batch }, (_, i) =>
    Int32Array.from({ length: config.blockSize - 3 * i + 1 }, () => random.randbelow(31)),
  );
  return { config, parameters, batch: collate(lines, config.blockSize) };
}

/** Largest difference of a gradient from the reference backend's, in parts of the largest of its tensor. */
function worstOf(of: ReturnType<typeof job>, options: Parameters<typeof createEngine>[3]): number {
  const gradients = (engine: ReturnType<typeof createEngine>) => {
    const found = engine.gradients(of.batch).gradients;
    engine.close();
    return found;
  };
  const want = gradients(createEngine('reference', of.config, of.parameters));
  const got = gradients(createEngine('wasm', of.config, of.parameters, options));
  const errors = parameterTable(of.config).list.map(({ name, offset, size }) => {
    if (name.endsWith('attn_bk')) return 0; // has no gradient but rounding
    const part = (x: Float64Array) => x.subarray(offset, offset + size);
    const scale = Math.max(...part(want).map(Math.abs));
    return Math.max(...part(got).map((x, i) => Math.abs(x - (part(want)[i] as number)))) / scale;
  });
  return Math.max(...errors);
}

/** f32 has 6e-8 of a number; sums of hundreds of terms and a model's depth take the rest. The kernels alone keep to it too. */
const BOUND = 2e-5;

describe.each(Object.entries(MODELS))('%s', (name, model) => {
  const of = job(model);
  test('the kernels alone', () => {
    expect(worstOf(of, {})).toBeLessThan(BOUND);
  });
  if ('missing' in blas) {
    cannotRun('gradients with BLAS', blas.missing);
    return;
  }
  const { found } = blas;
  test.each([
    [1, 'every product', 0],
    [2, 'every product', 0],
    [1, 'those above the crossover', null],
    [2, 'those above the crossover', null],
  ] as const)('threads: %i, %s by BLAS', async (threads, _, least) => {
    expect(await openBlas({ threads })).toMatchObject({ found: { threads } });
    let calls = 0;
    const gemm: Gemm = (...product) => {
      calls++;
      found.gemm(...product);
    };
    const products = { gemm, least: least ?? found.least, leastRows: least ?? found.leastRows };
    const own = threads > 1 ? { threads: nodeThreads(threads) } : {};
    expect(worstOf(of, { ...own, products })).toBeLessThan(BOUND);
    // The smaller model lies below the crossover altogether.
    expect(calls > 0).toBe(least === 0 || name !== 'canonical sizes');
    if (calls === 0) return;
    // A negative control: a library whose products are a thousandth too large.
    const wrong: Gemm = (product, a, b, c) =>
      found.gemm(
        product,
        a.map((x) => x * 1.001),
        b,
        c,
      );
    expect(worstOf(of, { ...own, products: { ...products, gemm: wrong } })).toBeGreaterThan(BOUND);
  });
});
