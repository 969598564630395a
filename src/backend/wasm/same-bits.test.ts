/**
 * Bits against bits, where the design promises the same bits: one row or many, a cache or the whole sequence, packed or alone, and
 * packed weights after any change of their source.
 */
import { describe, expect, test } from 'vitest';
import { expectClose, runOn, values, wasm } from '../../../test/backend-inputs.js';
import { type Op, sizeOf, type Tensor } from '../../tensor/backend.js';
import { createWasmBackend } from './index.js';

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
          for (const [s, b] of sequences.entries()) {
            expect(got.slice(s * C, (s + 1) * C)).toEqual(whole.slice((b * T + t) * C, (b * T + t + 1) * C));
          }
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
    const [grads, m, v, hyper, guard] = [
      backend.alloc([O * I]),
      backend.alloc([O * I]),
      backend.alloc([O * I]),
      backend.alloc([7]),
      backend.alloc([1]),
    ];
    backend.write(x, values(R * I, 1));
    backend.write(grads, values(O * I, 2));
    backend.write(hyper, [0.1, 0.9, 0.99, 1e-8, 0, 0.1, 0.01]);
    const use: Op[] = [{ op: 'linear', x, w, bias: null, out }];
    const update: Op[] = [{ op: 'adamw', params, grads, m, v, hyper, guard }];
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
