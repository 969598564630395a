/**
 * The conformance suite of the Wasm backend with every matrix product computed by the system's BLAS, whatever its size.
 */
import { describe, expect, test } from 'vitest';
import { testInstead } from '../../../test/backend-inputs.js';
import { cannotRun } from '../../../test/needs.js';
import { createWasmBackend } from '../../backend/wasm/index.js';
import { openBlas } from './index.js';

const blas = await openBlas({ threads: 1 });

if ('missing' in blas) cannotRun('products by BLAS', blas.missing);
else {
  const { gemm, about } = blas.found;
  let calls = 0;
  const counted: typeof gemm = (...product) => {
    calls++;
    gemm(...product);
  };
  testInstead(createWasmBackend({ products: { gemm: counted, least: 0, leastRows: 0 } }));
  describe(`products by ${about}`, async () => {
    await import('../../backend/wasm/conformance.test.js');
    test('the library was called', () => expect(calls).toBeGreaterThan(1000));
  });
}
