/**
 * The border to BLAS: which kernels are asked for, what is refused before a call, what a missing or wrong library leads to, and the hook in
 * the backend on plain loops, which needs no library.
 */
import { expect, test } from 'vitest';
import { runOn, values } from '../../../test/backend-inputs.js';
import { createWasmBackend } from '../../backend/wasm/index.js';
import type { Gemm } from '../../backend/wasm/products.js';
import type { Op, Tensor } from '../../tensor/backend.js';
import { coreType } from './core-type.js';
import { gemmOf, isSound, plainGemm } from './gemm.js';
import { openBlas } from './index.js';

const ZEN5 = 'flags\t\t: fpu fma avx avx2 avx512f avx512dq avx512cd avx512bw avx512vl avx512_bf16';
const ZEN3 = 'flags\t\t: fpu fma avx avx2';

test('the kernels follow from the flags that every core has, not from names', () => {
  expect(coreType(`model name: x\n${ZEN5}\n\n${ZEN5}\n`)).toBe('SKYLAKEX');
  expect(coreType(`${ZEN5}\n${ZEN3}\n`)).toBeNull();
  expect(coreType(ZEN5.replace('avx512vl', ''))).toBeNull();
  expect(coreType(ZEN3)).toBeNull();
  expect(coreType('')).toBeNull();
  expect(coreType('Features\t: fp asimd')).toBeNull();
});

test('a shape that does not fit its views is refused before the library is called', () => {
  let called = 0;
  const gemm = gemmOf({ func: () => () => called++, symbol: () => null });
  const [a, b, c] = [new Float32Array(6), new Float32Array(12), new Float32Array(8)];
  const product = { m: 2, n: 4, k: 3, aTransposed: false, bTransposed: false, add: false };
  gemm(product, a, b, c);
  expect(called).toBe(1);
  for (const wrong of [{ m: 3 }, { n: 3 }, { k: 4 }, { m: 0 }, { k: 2.5 }, { m: -2, k: -3 }, { n: 2 ** 31 }]) {
    expect(() => gemm({ ...product, ...wrong }, a, b, c), JSON.stringify(wrong)).toThrow(RangeError);
  }
  expect(() => gemm(product, a, b, c.subarray(1))).toThrow(
    '2·4·3 needs 6, 12 and 8 numbers, the views have 6, 12 and 7',
  );
  expect(called).toBe(1);
});

test('a library that is wrong in one kind of product is not used', () => {
  expect(isSound(plainGemm)).toBe(true);
  const wrong: readonly Gemm[] = [
    (p, a, b, c) => plainGemm({ ...p, add: false }, a, b, c),
    (p, a, b, c) => plainGemm({ ...p, aTransposed: false }, a, b, c),
    (p, a, b, c) => plainGemm({ ...p, bTransposed: true }, a, b, c),
    () => {},
  ];
  for (const gemm of wrong) expect(isSound(gemm)).toBe(false);
});

test('a library that is there gives right products', async () => {
  // Otherwise a mistake of ours would look like a missing library, and every test of BLAS would be skipped.
  const blas = await openBlas({ threads: 1 });
  expect('missing' in blas ? blas.missing : '').not.toMatch(/wrong products|cannot be used/);
});

test('what is missing is said in a sentence and leaves no trace in the environment', async () => {
  const before = JSON.stringify(process.env);
  expect(await openBlas({ threads: 1, foreign: 'no-such-package' })).toEqual({
    missing: expect.stringMatching(/^the package no-such-package .*; npm install no-such-package$/),
  });
  const noLibrary = await openBlas({ threads: 1, libraries: ['/no/such.so', 'neither.so'] });
  expect('missing' in noLibrary && noLibrary.missing).toMatch(/none of \/no\/such.so, neither.so|koffi/);
  const noBlas = await openBlas({ threads: 1, libraries: ['libm.so.6'] });
  expect('missing' in noBlas && noBlas.missing).toMatch(/cannot be used|can be loaded|koffi/);
  expect(JSON.stringify(process.env)).toBe(before);
});

/** A model's products: with and without bias, sums from nothing and onto what is there, large ones and small ones in one list. */
const ops = (t: Record<string, Tensor>): readonly Op[] => [
  { op: 'linear', x: t['x']!, w: t['w']!, bias: t['bias']!, out: t['h']! },
  { op: 'activation', kind: 'gelu', x: t['h']!, out: t['a']! },
  { op: 'linear', x: t['a']!, w: t['u']!, bias: null, out: t['out']! },
  { op: 'zero', x: t['dA']! },
  { op: 'zero', x: t['dU']! },
  { op: 'linearBackward', x: t['a']!, w: t['u']!, dOut: t['out']!, dX: t['dA']!, dW: t['dU']!, dBias: null },
  { op: 'linearBackward', x: t['x']!, w: t['w']!, dOut: t['dA']!, dX: t['dX']!, dW: t['dW']!, dBias: t['dBias']! },
];
const [R, I, H, O] = [21, 24, 40, 9];
const inputs = Object.fromEntries(
  Object.entries({
    x: [R, I],
    w: [H, I],
    bias: [H],
    u: [O, H],
    h: [R, H],
    a: [R, H],
    out: [R, O],
    dA: [R, H],
    dU: [O, H],
    dX: [R, I],
    dW: [H, I],
    dBias: [H],
  }).map(([name, shape], i) => [
    name,
    {
      shape,
      values: values(
        shape.reduce((x, y) => x * y),
        i + 1,
      ),
    },
  ]),
);

test('the hook: any split between kernels and library gives the same numbers', () => {
  const want = runOn(createWasmBackend(), inputs, ops);
  for (const [least, leastRows, calls] of [
    [0, 0, 6],
    [R * I * H, 16, 3],
    [0, 22, 0],
    [1e9, 0, 0],
  ] as const) {
    const products: string[] = [];
    const gemm: Gemm = (p, a, b, c) => {
      products.push(`${p.m}·${p.n}·${p.k}${p.add ? ' +' : ''}`);
      plainGemm(p, a, b, c);
    };
    const backend = createWasmBackend({ products: { gemm, least, leastRows } });
    for (const again of [1, 2]) {
      const got = runOn(backend, inputs, ops);
      expect(products.length).toBe(calls * again);
      for (const name of Object.keys(inputs)) {
        got[name]?.forEach((x, i) => {
          const y = want[name]?.[i] as number;
          if (!(Math.abs(x - y) < 2e-5 * (1 + Math.abs(y)))) throw new Error(`${name}[${i}]: ${x} is not ${y}`);
        });
      }
    }
    if (calls === 6)
      expect(products.slice(0, 6)).toEqual(['21·40·24 +', '21·9·40', '21·40·9', '9·40·21', '21·24·40 +', '40·24·21 +']);
  }
});
