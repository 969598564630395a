/**
 * The conformance suite of the Wasm backend with every matrix product computed by the system's BLAS, whatever its size.
 */
import { describe, expect, test } from 'vitest';
import { testInstead } from '../../../test/backend-inputs.js';
import { createWasmBackend } from '../../backend/wasm/index.js';
import { openBlas } from './index.js';

const blas = await openBlas({ threads: 1 });
let calls = 0;

describe.skipIf('missing' in blas)(
  `products by ${'missing' in blas ? `BLAS: skipped, ${blas.missing}` : blas.found.about}`,
  async () => {
    if ('missing' in blas) return;
    const { gemm } = blas.found;
    testInstead(
      createWasmBackend({
        products: {
          gemm: (...product) => {
            calls++;
            gemm(...product);
          },
          least: 0,
          leastRows: 0,
        },
      }),
    );
    await import('../../backend/wasm/conformance.test.js');
    test('the library was called', () => expect(calls).toBeGreaterThan(1000));
  },
);
