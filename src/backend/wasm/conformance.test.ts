/**
 * The Wasm backend against the reference backend: every op, forward and backward, at sizes around every tile edge.
 */
import { describe, expect, test } from 'vitest';
import { EDGES, expectClose, type Inputs, reference, runOn, U, values, wasm } from '../../../test/backend-inputs.js';
import { keeps } from '../../base/dropout-mask.js';
import type { Op, Tensor } from '../../tensor/backend.js';

const absolute = (x: ArrayLike<number>): Float64Array => Float64Array.from(x, Math.abs);

function checkLinear(R: number, I: number, O: number, bias: boolean): void {
  const inputs: Inputs = {
    x: { shape: [R, I], values: values(R * I, R + 1) },
    w: { shape: [O, I], values: values(O * I, I + 2) },
    bias: { shape: [O], values: values(O, O + 3) },
    out: { shape: [R, O], values: [] },
    dOut: { shape: [R, O], values: values(R * O, 4) },
    dX: { shape: [R, I], values: values(R * I, 5) },
    dW: { shape: [O, I], values: values(O * I, 6) },
    dBias: { shape: [O], values: values(O, 7) },
  };
  const ops = (t: Record<string, Tensor>): readonly Op[] => [
    { op: 'linear', x: t['x']!, w: t['w']!, bias: bias ? t['bias']! : null, out: t['out']! },
    {
      op: 'linearBackward',
      x: t['x']!,
      w: t['w']!,
      dOut: t['dOut']!,
      dX: t['dX']!,
      dW: t['dW']!,
      dBias: bias ? t['dBias']! : null,
    },
  ];
  const got = runOn(wasm, inputs, ops);
  const want = runOn(reference, inputs, ops);
  // Σ|aᵢbᵢ| of every element: the same ops over absolute values.
  const sums = runOn(
    reference,
    Object.fromEntries(Object.entries(inputs).map(([k, v]) => [k, { ...v, values: absolute(v.values) }])),
    ops,
  );
  const terms: Record<string, number> = { out: I + 1, dX: O + 1, dW: R + 1, dBias: R + 1 };
  for (const [name, K] of Object.entries(terms)) {
    expectClose(
      `${name} of R=${R} I=${I} O=${O}`,
      got[name]!,
      want[name]!,
      (i) => 4 * Math.sqrt(K) * U * sums[name]![i]!,
    );
  }
}

describe('linear', () => {
  test('sizes 1 to 33 around every tile edge', () => {
    for (const R of [1, 2, 3, 4, 5, 7, 8, 9, 33])
      for (const I of EDGES) for (const O of EDGES) checkLinear(R, I, O, (R + I + O) % 2 === 0);
  });
  test('real sizes', () => {
    for (const [R, I, O] of [
      [7, 16, 48],
      [7, 64, 16],
      [112, 16, 27],
      [160, 64, 256],
      [100, 256, 64],
      [96, 128, 384],
      [97, 512, 128],
      [64, 384, 1152],
      [50, 1536, 384],
      [1, 384, 1536],
      [3, 1536, 384],
      [515, 129, 131],
    ] as const) {
      checkLinear(R, I, O, true);
    }
  });
});

describe('attention', () => {
  test.each([
    [1, 1, 1, 1],
    [1, 2, 1, 3],
    [2, 3, 2, 4],
    [1, 7, 4, 4],
    [2, 16, 4, 4],
    [1, 5, 3, 5],
    [2, 33, 2, 8],
    [1, 17, 1, 12],
    [1, 13, 2, 33],
    [2, 64, 4, 32],
    [1, 130, 2, 64],
    [1, 9, 1, 7],
  ])('B=%i T=%i H=%i D=%i', (B, T, H, D) => {
    const C = H * D;
    const inputs: Inputs = {
      qkv: { shape: [B, T, 3 * C], values: values(B * T * 3 * C, T) },
      probs: { shape: [B, H, T, T], values: values(B * H * T * T, 2) },
      out: { shape: [B, T, C], values: [] },
      dOut: { shape: [B, T, C], values: values(B * T * C, D) },
      dQkv: { shape: [B, T, 3 * C], values: values(B * T * 3 * C, 9) },
    };
    const ops = (t: Record<string, Tensor>): readonly Op[] => [
      { op: 'attention', heads: H, qkv: t['qkv']!, probs: t['probs']!, out: t['out']! },
      { op: 'attentionBackward', heads: H, qkv: t['qkv']!, probs: t['probs']!, dOut: t['dOut']!, dQkv: t['dQkv']! },
    ];
    const got = runOn(wasm, inputs, ops);
    const want = runOn(reference, inputs, ops);
    const loose = 4 * Math.sqrt(T + D) * U;
    expectClose('probs', got['probs']!, want['probs']!, () => loose);
    expectClose('out', got['out']!, want['out']!, () => 2 * loose);
    expectClose('dQkv', got['dQkv']!, want['dQkv']!, (i) => 4 * loose * (2 + Math.abs(want['dQkv']![i]!)));
  });
});

describe('rows and elements', () => {
  test.each(['rmsnorm', 'layernorm'] as const)('%s', (kind) => {
    for (const R of [1, 2, 5, 33]) {
      for (const C of [...EDGES, 64, 384]) {
        const inputs: Inputs = {
          x: { shape: [R, C], values: values(R * C, C) },
          out: { shape: [R, C], values: [] },
          rstd: { shape: [R], values: [] },
          dOut: { shape: [R, C], values: values(R * C, 3) },
          dX: { shape: [R, C], values: values(R * C, 4) },
        };
        const ops = (t: Record<string, Tensor>): readonly Op[] => [
          { op: 'norm', kind, x: t['x']!, out: t['out']!, rstd: t['rstd']! },
          { op: 'normBackward', kind, out: t['out']!, rstd: t['rstd']!, dOut: t['dOut']!, dX: t['dX']! },
        ];
        const got = runOn(wasm, inputs, ops);
        const want = runOn(reference, inputs, ops);
        const loose = 8 * Math.sqrt(C) * U;
        // A normalised row of one or two equal numbers divides rounding errors by √ε = 0.003: scale with rstd.
        const scale = (i: number): number => 1 + want['rstd']![Math.floor(i / C)]!;
        expectClose('rstd', got['rstd']!, want['rstd']!, (i) => loose * want['rstd']![i]! * scale(i * C));
        expectClose('out', got['out']!, want['out']!, (i) => loose * scale(i));
        expectClose('dX', got['dX']!, want['dX']!, (i) => 4 * loose * scale(i) ** 2);
      }
    }
  });

  test.each(['relu', 'relu2', 'gelu'] as const)('%s', (kind) => {
    for (const n of [...EDGES, 5000]) {
      const x = values(n, n).map((v) => 8 * v);
      const inputs: Inputs = {
        x: { shape: [n], values: x },
        out: { shape: [n], values: [] },
        dOut: { shape: [n], values: values(n, 3) },
        dX: { shape: [n], values: values(n, 4) },
      };
      const ops = (t: Record<string, Tensor>): readonly Op[] => [
        { op: 'activation', kind, x: t['x']!, out: t['out']! },
        { op: 'activationBackward', kind, x: t['x']!, dOut: t['dOut']!, dX: t['dX']! },
      ];
      const got = runOn(wasm, inputs, ops);
      const want = runOn(reference, inputs, ops);
      expectClose(
        'out',
        got['out']!,
        want['out']!,
        (i) => 8 * U * (1 + Math.abs(x[i]!)) * Math.abs(want['out']![i]!) + 1e-12,
      );
      expectClose('dX', got['dX']!, want['dX']!, (i) => 16 * U * (1 + Math.abs(want['dX']![i]!) + Math.abs(x[i]!)));
    }
  });

  test('cross-entropy', () => {
    for (const R of [1, 3, 16]) {
      for (const V of [...EDGES.slice(1), 27, 256]) {
        const weights = Float32Array.from({ length: R }, (_, r) => (r === 1 ? 0 : 1 / R));
        const inputs: Inputs = {
          logits: { shape: [R, V], values: values(R * V, V).map((v) => 6 * v) },
          targets: { shape: [R], values: Int32Array.from({ length: R }, (_, r) => (r * 5) % V), int: true },
          weights: { shape: [R], values: weights },
          probs: { shape: [R, V], values: [] },
          losses: { shape: [R], values: [] },
          loss: { shape: [1], values: [] },
          dLogits: { shape: [R, V], values: values(R * V, 3) },
        };
        const ops = (t: Record<string, Tensor>): readonly Op[] => [
          {
            op: 'crossEntropy',
            logits: t['logits']!,
            targets: t['targets']!,
            weights: t['weights']!,
            probs: t['probs']!,
            losses: t['losses']!,
            loss: t['loss']!,
          },
          {
            op: 'crossEntropyBackward',
            probs: t['probs']!,
            targets: t['targets']!,
            weights: t['weights']!,
            dLogits: t['dLogits']!,
          },
        ];
        const got = runOn(wasm, inputs, ops);
        const want = runOn(reference, inputs, ops);
        const counts = (i: number): boolean => weights[Math.floor(i / V)] !== 0;
        expectClose('probs', got['probs']!, want['probs']!, (i) =>
          counts(i) ? 16 * U * want['probs']![i]! + 1e-30 : 1,
        );
        expectClose('losses', got['losses']!, want['losses']!, (i) =>
          counts(i * V) ? 8 * U * (1 + want['losses']![i]!) : 1e9,
        );
        expectClose('loss', got['loss']!, want['loss']!, (i) => 8 * U * (1 + want['loss']![i]!));
        expectClose('dLogits', got['dLogits']!, want['dLogits']!, () => 8 * U);
      }
    }
  });

  test('embed, zero, add, accumulate, adamw', () => {
    for (const C of EDGES) {
      const [R, V, N] = [9, 5, 4];
      const inputs: Inputs = {
        tokens: { shape: [R], values: Int32Array.from({ length: R }, (_, r) => (r * 3) % V), int: true },
        positions: { shape: [R], values: Int32Array.from({ length: R }, (_, r) => r % N), int: true },
        tokenTable: { shape: [V, C], values: values(V * C, 1) },
        positionTable: { shape: [N, C], values: values(N * C, 2) },
        out: { shape: [R, C], values: [] },
        dOut: { shape: [R, C], values: values(R * C, 3) },
        dTokenTable: { shape: [V, C], values: values(V * C, 4) },
        dPositionTable: { shape: [N, C], values: values(N * C, 5) },
        sum: { shape: [R, C], values: [] },
        cleared: { shape: [R, C], values: values(R * C, 6) },
      };
      const ops = (t: Record<string, Tensor>): readonly Op[] => [
        {
          op: 'embed',
          tokens: t['tokens']!,
          positions: t['positions']!,
          tokenTable: t['tokenTable']!,
          positionTable: t['positionTable']!,
          out: t['out']!,
        },
        {
          op: 'embedBackward',
          tokens: t['tokens']!,
          positions: t['positions']!,
          dOut: t['dOut']!,
          dTokenTable: t['dTokenTable']!,
          dPositionTable: t['dPositionTable']!,
        },
        { op: 'add', a: t['out']!, b: t['dOut']!, out: t['sum']! },
        { op: 'accumulate', x: t['dOut']!, into: t['sum']! },
        { op: 'zero', x: t['cleared']! },
      ];
      const got = runOn(wasm, inputs, ops);
      const want = runOn(reference, inputs, ops);
      for (const name of Object.keys(inputs)) expectClose(name, got[name]!, want[name]!, () => 16 * U);
    }
    for (const n of [...EDGES, 4095, 4096, 4097, 9000]) {
      for (const [step, decay] of [
        [1, 0],
        [7, 0.1],
      ] as const) {
        const [b1, b2] = [Math.fround(0.85), Math.fround(0.99)];
        const inputs: Inputs = {
          params: { shape: [n], values: values(n, 1) },
          grads: { shape: [n], values: values(n, 2) },
          m: { shape: [n], values: values(n, 3) },
          v: { shape: [n], values: values(n, 4).map(Math.abs) },
          guard: { shape: [1], values: [1] },
          hyper: { shape: [7], values: Float32Array.of(0.01, b1, b2, 1e-8, decay, 1 - b1 ** step, 1 - b2 ** step) },
        };
        const ops = (t: Record<string, Tensor>): readonly Op[] => [
          {
            op: 'adamw',
            params: t['params']!,
            grads: t['grads']!,
            m: t['m']!,
            v: t['v']!,
            hyper: t['hyper']!,
            guard: t['guard']!,
          },
        ];
        const got = runOn(wasm, inputs, ops);
        const want = runOn(reference, inputs, ops);
        expectClose('m', got['m']!, want['m']!, () => 4 * U);
        expectClose('v', got['v']!, want['v']!, () => 4 * U);
        expectClose(
          'params',
          got['params']!,
          want['params']!,
          (i) => 4 * U + 16 * U * Math.abs(want['params']![i]! - (inputs['params']!.values[i] as number)),
        );
      }
    }
  });
});

describe('dropout and clipping', () => {
  test('dropout: the mask of base/dropout-mask.ts, bit for bit, forward and backward', () => {
    for (const n of [...EDGES, 4095, 4096, 4097, 9000]) {
      for (const rate of [0, 0.1, 0.5, 0.999]) {
        const [key0, key1, threshold] = [0x9abcdef0 + n, 77 * n, Math.round(rate * 2 ** 32)];
        const scale = Math.fround(1 / (1 - rate));
        const x = values(n, n);
        const inputs: Inputs = {
          x: { shape: [n], values: x },
          key: { shape: [3], values: [key0 | 0, key1 | 0, threshold | 0], int: true },
          scale: { shape: [1], values: [scale] },
          out: { shape: [n], values: values(n, 2) },
          dOut: { shape: [n], values: values(n, 3) },
          dX: { shape: [n], values: values(n, 4) },
          dFresh: { shape: [n], values: values(n, 5) },
        };
        const ops = (t: Record<string, Tensor>): readonly Op[] => {
          const place = { key: t['key']!, scale: t['scale']! };
          return [
            { op: 'dropout', x: t['x']!, ...place, out: t['out']! },
            { op: 'dropoutBackward', dOut: t['dOut']!, ...place, dX: t['dX']! },
            { op: 'zero', x: t['dFresh']! },
            { op: 'dropoutBackward', dOut: t['dOut']!, ...place, dX: t['dFresh']! },
          ];
        };
        const got = runOn(wasm, inputs, ops);
        const want = runOn(reference, inputs, ops);
        for (let i = 0; i < n; i++) {
          const kept = keeps([key0, key1], threshold, i) ? scale : 0;
          if (got['out']![i] !== Math.fround(x[i]! * kept)) throw new Error(`n=${n} rate=${rate} element ${i}`);
        }
        for (const name of ['out', 'dX', 'dFresh'])
          expectClose(name, got[name]!, want[name]!, (i) => 4 * U * (1 + Math.abs(want[name]![i]!)));
        if (rate === 0) expect(got['out']).toEqual(Float64Array.from(x));
      }
    }
  });

  const clipping = (n: number, scale: number, limit: number): Inputs => ({
    grads: { shape: [n], values: values(n, n).map((g) => g * scale) },
    norm: { shape: [1], values: [] },
    limit: { shape: [1], values: [limit] },
  });
  const clipOps = (t: Record<string, Tensor>): readonly Op[] => [
    { op: 'gradNorm', grads: t['grads']!, norm: t['norm']! },
    { op: 'clip', grads: t['grads']!, norm: t['norm']!, limit: t['limit']! },
  ];

  test('gradNorm and clip, also where squares leave the range of f32', () => {
    for (const n of [...EDGES, 4095, 4096, 4097, 9000, 20481]) {
      for (const scale of [1e-30, 1, 1e30]) {
        for (const limit of [scale / 2, 1e38]) {
          const inputs = clipping(n, scale, limit);
          const got = runOn(wasm, inputs, clipOps);
          const want = runOn(reference, inputs, clipOps);
          expectClose('norm', got['norm']!, want['norm']!, () => 2 * U * want['norm']![0]!);
          expectClose('grads', got['grads']!, want['grads']!, () => 4 * U * scale);
          const left = Math.sqrt(got['grads']!.reduce((sum, g) => sum + g * g, 0));
          expect(left).toBeLessThan(Math.max(limit, scale) * Math.sqrt(n) * 1.001);
          if (limit < scale && want['norm']![0]! > limit) expect(left / limit).toBeCloseTo(1, 5);
          else expect(got['grads']).toEqual(Float64Array.from(inputs['grads']!.values));
        }
      }
    }
  });

  test.each([NaN, Infinity, -Infinity])(
    'a gradient of %f shows in the norm, and nothing is scaled or updated',
    (bad) => {
      for (const backend of [wasm, reference]) {
        const n = 5000;
        const grads = values(n, 1);
        grads[4321] = bad;
        const params = values(n, 2);
        const inputs: Inputs = {
          ...clipping(n, 1, 0.5),
          grads: { shape: [n], values: grads },
          params: { shape: [n], values: params },
          m: { shape: [n], values: [] },
          v: { shape: [n], values: [] },
          hyper: { shape: [7], values: [0.1, 0.9, 0.9, 1e-8, 0.1, 0.1, 0.1] },
        };
        const got = runOn(backend, inputs, (t) => [
          ...clipOps(t),
          {
            op: 'adamw',
            params: t['params']!,
            grads: t['grads']!,
            m: t['m']!,
            v: t['v']!,
            hyper: t['hyper']!,
            guard: t['norm']!,
          },
        ]);
        expect(Number.isFinite(got['norm']![0])).toBe(false);
        expect(got['grads']).toEqual(Float64Array.from(grads));
        expect(got['params']).toEqual(Float64Array.from(params));
        for (const moment of ['m', 'v']) expect(got[moment]).toEqual(new Float64Array(n));
      }
    },
  );
});
