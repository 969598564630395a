/**
 * The Wasm backend against the reference backend: every op, forward and backward, at sizes around every tile edge; and bits against bits
 * where the design promises the same bits.
 */
import { describe, expect, test } from 'vitest';
import { type Backend, type Op, sizeOf, type Tensor } from '../../tensor/backend.js';
import { createReferenceBackend } from '../reference/reference.js';
import { createWasmBackend } from './index.js';

const U = 2 ** -24;
const EDGES = [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32, 33];

/** xorshift32: small, fixed, and not the engine's own generator. */
function noise(seed: number): () => number {
  let s = seed | 1;
  return () => {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    return (s >>> 0) / 2 ** 31 - 1;
  };
}

function values(n: number, seed: number): Float32Array {
  const next = noise(seed * 7919 + 17);
  return Float32Array.from({ length: n }, next);
}

type Inputs = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly values: ArrayLike<number>; readonly int?: boolean }>
>;

/** Runs one op on a backend over fresh tensors and returns what they hold afterwards; guard words around them must survive. */
function runOn(
  backend: Backend,
  inputs: Inputs,
  ops: (t: Record<string, Tensor>) => readonly Op[],
): Record<string, Float64Array> {
  const mark = backend.mark();
  const tensors: Record<string, Tensor> = {};
  const guards: Tensor[] = [];
  for (const [name, { shape, values, int }] of Object.entries(inputs)) {
    const x = backend.alloc(shape, int ? 'int' : 'float');
    backend.write(x, values);
    tensors[name] = x;
    const guard = backend.alloc([3]);
    backend.write(guard, [12345, 12345, 12345]);
    guards.push(guard);
  }
  backend.run(ops(tensors));
  const out = Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, backend.read(x)]));
  for (const guard of guards) expect([...backend.read(guard)]).toEqual([12345, 12345, 12345]);
  backend.reset(mark);
  return out;
}

const wasm = createWasmBackend();
const reference = createReferenceBackend();

function expectClose(name: string, got: Float64Array, want: Float64Array, bound: (i: number) => number): void {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < got.length; i++) {
    const error = Math.abs((got[i] as number) - (want[i] as number));
    if (!(error <= bound(i)))
      throw new Error(`${name}[${i}]: ${got[i]} is not ${want[i]}: error ${error} > ${bound(i)}`);
  }
}

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
          hyper: { shape: [7], values: Float32Array.of(0.01, b1, b2, 1e-8, decay, 1 - b1 ** step, 1 - b2 ** step) },
        };
        const ops = (t: Record<string, Tensor>): readonly Op[] => [
          { op: 'adamw', params: t['params']!, grads: t['grads']!, m: t['m']!, v: t['v']!, hyper: t['hyper']! },
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

describe('the same bits', () => {
  test('a row of linear does not depend on how many rows there are', () => {
    for (const [I, O] of [
      [16, 48],
      [16, 27],
      [64, 16],
      [33, 31],
      [384, 1152],
      [1536, 384],
      [129, 100],
    ] as const) {
      const w = { shape: [O, I], values: values(O * I, 1) };
      const bias = { shape: [O], values: values(O, 2) };
      const x = values(70 * I, 3);
      const run = (R: number, first: number): Float64Array =>
        runOn(
          wasm,
          {
            x: { shape: [R, I], values: x.subarray(first * I, (first + R) * I) },
            w,
            bias,
            out: { shape: [R, O], values: [] },
          },
          (t) => [{ op: 'linear', x: t['x']!, w: t['w']!, bias: t['bias']!, out: t['out']! }],
        )['out']!;
      const all = run(70, 0);
      for (const R of [1, 2, 3, 4, 5, 6, 7, 64])
        for (const first of [0, 1, 3, 70 - R]) expect(run(R, first)).toEqual(all.slice(first * O, (first + R) * O));
    }
  });

  test('attentionStep gives the rows of attention, alone or among others', () => {
    for (const [T, H, D] of [
      [16, 4, 4],
      [33, 2, 8],
      [64, 4, 32],
      [130, 2, 64],
      [21, 3, 5],
      [9, 1, 1],
      [40, 1, 44],
    ] as const) {
      const C = H * D;
      const B = 3;
      const qkv = values(B * T * 3 * C, T + D);
      const whole = runOn(
        wasm,
        {
          qkv: { shape: [B, T, 3 * C], values: qkv },
          probs: { shape: [B, H, T, T], values: [] },
          out: { shape: [B, T, C], values: [] },
        },
        (t) => [{ op: 'attention', heads: H, qkv: t['qkv']!, probs: t['probs']!, out: t['out']! }],
      )['out']!;
      for (const sequences of [[0], [2], [0, 1, 2]]) {
        const S = sequences.length;
        const mark = wasm.mark();
        const q = wasm.alloc([S, 3 * C]);
        const positions = wasm.alloc([S], 'int');
        const own = wasm.alloc([S], 'int');
        wasm.write(
          own,
          sequences.map((_, s) => s),
        );
        const keys = wasm.alloc([S, T, C]);
        const vals = wasm.alloc([S, T, C]);
        const out = wasm.alloc([S, C]);
        const ops: Op[] = [
          { op: 'attentionStep', heads: H, qkv: q, positions, sequences: own, keys, values: vals, out },
        ];
        for (let t = 0; t < T; t++) {
          wasm.write(
            q,
            sequences.flatMap((b) => [...qkv.subarray((b * T + t) * 3 * C, (b * T + t + 1) * 3 * C)]),
          );
          wasm.write(
            positions,
            sequences.map(() => t),
          );
          wasm.run(ops);
          const got = wasm.read(out);
          sequences.forEach((b, s) =>
            expect(got.slice(s * C, (s + 1) * C)).toEqual(whole.slice((b * T + t) * C, (b * T + t + 1) * C)),
          );
        }
        wasm.reset(mark);
      }
    }
  });
});

describe('sequences of different lengths, packed', () => {
  test('each has the bits it has alone, forward and backward', () => {
    for (const [H, D, lengths] of [
      [4, 4, [7, 1, 16, 3, 5]],
      [2, 32, [33, 64, 2]],
      [3, 5, [4, 9]],
    ] as const) {
      const C = H * D;
      const R = lengths.reduce((a, b) => a + b, 0);
      const N = Math.max(...lengths);
      const starts = [0];
      for (const n of lengths) starts.push(starts[starts.length - 1]! + n);
      const [qkv, dOut, dQkv] = [values(R * 3 * C, 1), values(R * C, 2), values(R * 3 * C, 3)];
      const ops = (t: Record<string, Tensor>): readonly Op[] => {
        const packed = t['starts'] === undefined ? {} : { starts: t['starts'] };
        return [
          { op: 'attention', heads: H, qkv: t['qkv']!, probs: t['probs']!, out: t['out']!, ...packed },
          {
            op: 'attentionBackward',
            heads: H,
            qkv: t['qkv']!,
            probs: t['probs']!,
            dOut: t['dOut']!,
            dQkv: t['dQkv']!,
            ...packed,
          },
        ];
      };
      const all = runOn(
        wasm,
        {
          starts: { shape: [starts.length], values: starts, int: true },
          qkv: { shape: [1, R, 3 * C], values: qkv },
          probs: { shape: [lengths.length, H, N, N], values: [] },
          out: { shape: [1, R, C], values: [] },
          dOut: { shape: [1, R, C], values: dOut },
          dQkv: { shape: [1, R, 3 * C], values: dQkv },
        },
        ops,
      );
      lengths.forEach((T, b) => {
        const part = (x: Float32Array, width: number): Float32Array =>
          x.subarray(starts[b]! * width, starts[b + 1]! * width);
        const alone = runOn(
          wasm,
          {
            qkv: { shape: [1, T, 3 * C], values: part(qkv, 3 * C) },
            probs: { shape: [1, H, T, T], values: [] },
            out: { shape: [1, T, C], values: [] },
            dOut: { shape: [1, T, C], values: part(dOut, C) },
            dQkv: { shape: [1, T, 3 * C], values: part(dQkv, 3 * C) },
          },
          ops,
        );
        expect(all['out']!.slice(starts[b]! * C, starts[b + 1]! * C)).toEqual(alone['out']);
        expect(all['dQkv']!.slice(starts[b]! * 3 * C, starts[b + 1]! * 3 * C)).toEqual(alone['dQkv']);
      });
    }
  });
});

describe('packed weights', () => {
  test('are refreshed after write, after adamw, after another list and after the arena was reset', () => {
    const backend = createWasmBackend();
    const [R, I, O] = [4, 16, 24];
    const params = backend.alloc([O * I]);
    const w: Tensor = { at: params.at, shape: [O, I], type: 'float' };
    const x = backend.alloc([R, I]);
    const out = backend.alloc([R, O]);
    const [grads, m, v, hyper] = [
      backend.alloc([O * I]),
      backend.alloc([O * I]),
      backend.alloc([O * I]),
      backend.alloc([7]),
    ];
    backend.write(x, values(R * I, 1));
    backend.write(grads, values(O * I, 2));
    backend.write(hyper, [0.1, 0.9, 0.99, 1e-8, 0, 0.1, 0.01]);
    const use: Op[] = [{ op: 'linear', x, w, bias: null, out }];
    const update: Op[] = [{ op: 'adamw', params, grads, m, v, hyper }];
    const both: Op[] = [...use, ...update, ...use];
    const expected = (): Float64Array => {
      const [xs, ws] = [backend.read(x), backend.read(w)];
      return Float64Array.from({ length: sizeOf(out.shape) }, (_, i) => {
        let s = 0;
        for (let k = 0; k < I; k++) s += xs[Math.floor(i / O) * I + k]! * ws[(i % O) * I + k]!;
        return s;
      });
    };
    const check = (ops: Op[]): void => {
      backend.run(ops);
      expectClose('out', backend.read(out), expected(), () => 1e-4);
    };
    backend.run(update); // compiled before any packed copy exists
    backend.write(params, values(O * I, 3));
    check(use);
    check(use);
    backend.run(update);
    check(use);
    check(both);
    check(use);
    backend.write(w, [5, 5, 5]);
    check(use);
    check(both);
    const mark = backend.mark();
    const temporary = backend.alloc([O, I]);
    backend.write(temporary, values(O * I, 9));
    backend.run([{ op: 'linear', x, w: temporary, bias: null, out }]);
    backend.reset(mark);
    const again = backend.alloc([O, I]);
    backend.run([{ op: 'linear', x, w: again, bias: null, out }]);
    expect(backend.read(out)).toEqual(new Float64Array(R * O));
    backend.close();
  });
});
