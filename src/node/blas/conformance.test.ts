/**
 * The conformance suite of the Wasm backend with matrix products computed by the system's BLAS: all of them whatever their size, and those
 * above the crossover beside the kernels; with one thread and with two.
 */
import { describe, expect, test, vi } from 'vitest';
import { FULL } from '../../../test/golden.js';
import { cannotRun } from '../../../test/needs.js';
import { createWasmBackend } from '../../backend/wasm/index.js';
import type { Gemm } from '../../backend/wasm/products.js';
import { nodeThreads } from '../threads.js';
import { openBlas } from './index.js';

const blas = await openBlas({ threads: 1 });

/** Least work and rows of a product for the library, threads, calls that the suite makes at least. */
const WAYS = [
  ['every product', 0, 0, 1, 1000],
  ...(FULL
    ? ([
        ['every product', 0, 0, 2, 1000],
        ['products above the crossover', null, null, 2, 20],
        ['products above the crossover', null, null, 1, 20],
      ] as const)
    : []),
] as const;

if ('missing' in blas) cannotRun('conformance with BLAS', blas.missing);
else {
  const { gemm, about, ...measured } = blas.found;
  describe.each(WAYS)(`%s by ${about.split(',')[0]} (from %s multiply-adds, %s rows), threads: %i`, async (...way) => {
    const [, least, leastRows, threads, expected] = way;
    let calls = 0;
    const counted: Gemm = (...product) => {
      calls++;
      gemm(...product);
    };
    const products = { gemm: counted, least: least ?? measured.least, leastRows: leastRows ?? measured.leastRows };
    // The suite asks a module of its own for what it tests: one of each for every way.
    vi.resetModules();
    const { testInstead } = await import('../../../test/backend-inputs.js');
    testInstead(createWasmBackend({ products, ...(threads > 1 && { threads: nodeThreads(threads) }) }));
    test('the library has as many threads as the pool', async () => {
      // One library for the whole process: the last word counts.
      expect(await openBlas({ threads })).toMatchObject({ found: { threads } });
    });
    await import('../../backend/wasm/conformance.test.js');
    test('the library was called', () => expect(calls).toBeGreaterThan(expected));
  });
}
