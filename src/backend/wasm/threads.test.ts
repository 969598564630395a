/**
 * Threads leave the same bits as one thread, and their failures reach the caller.
 */
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { values } from '../../../test/backend-inputs.js';
import { nodeThreads, startThread } from '../../node/threads.js';
import { type Op, sizeOf, type Tensor, view } from '../../tensor/backend.js';
import { createWasmBackend, SHARED_WORK, type WasmBackend } from './index.js';
import type { StartThread } from './pool.js';
import { workOf } from './work.js';

/** Five steps of a small layer stack that uses every kernel of training; returns all it left behind. */
function train(backend: WasmBackend, [B, T, C, H, V]: readonly [number, number, number, number, number]): Float64Array {
  const R = B * T;
  const sizes = {
    wte: V * C,
    wpe: T * C,
    qkv: 3 * C * C,
    bias: 3 * C,
    wo: C * C,
    fc1: 4 * C * C,
    fc2: 4 * C * C,
    head: V * C,
  };
  const total = Object.values(sizes).reduce((a, b) => a + b, 0);
  const [params, grads, m, v] = [
    backend.alloc([total]),
    backend.alloc([total]),
    backend.alloc([total]),
    backend.alloc([total]),
  ];
  const offsets: Record<string, number> = {};
  let at = 0;
  for (const [name, size] of Object.entries(sizes)) {
    offsets[name] = at;
    at += size;
  }
  const p = (name: string, shape: readonly number[]) => view(params, offsets[name]!, shape);
  const g = (name: string, shape: readonly number[]) => view(grads, offsets[name]!, shape);
  let seed = 1;
  backend.write(
    params,
    Float64Array.from({ length: total }, () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed / 2 ** 31 - 1) * 0.2;
    }),
  );
  const [tokens, positions, targets] = [
    backend.alloc([R], 'int'),
    backend.alloc([R], 'int'),
    backend.alloc([R], 'int'),
  ];
  backend.write(
    tokens,
    Int32Array.from({ length: R }, (_, r) => (r * 7) % V),
  );
  backend.write(
    targets,
    Int32Array.from({ length: R }, (_, r) => (r * 5 + 1) % V),
  );
  backend.write(
    positions,
    Int32Array.from({ length: R }, (_, r) => r % T),
  );
  const weights = backend.alloc([R]);
  backend.write(weights, new Float64Array(R).fill(1 / R));
  const hyper = backend.alloc([7]);
  const f = (...shape: number[]) => backend.alloc(shape);
  const key = backend.alloc([3], 'int');
  backend.write(key, [0x1234567, -0x7654321, 0x40000000]); // a quarter is dropped
  const [scale, length, limit] = [f(1), f(1), f(1)];
  backend.write(scale, [4 / 3]);
  backend.write(limit, [0.1]);
  const [kept, dKept] = [f(R, C), f(R, C)];
  const [x, n, rstd, qkv, probs, mixed, o, h, a, y, logits, p2, losses, loss] = [
    f(R, C),
    f(R, C),
    f(R),
    f(B, T, 3 * C),
    f(B, H, T, T),
    f(B, T, C),
    f(R, C),
    f(R, 4 * C),
    f(R, 4 * C),
    f(R, C),
    f(R, V),
    f(R, V),
    f(R),
    f(1),
  ];
  const [dx, dn, dqkv, dmixed, d_o, dh, da, dy, dlogits] = [
    f(R, C),
    f(R, C),
    f(B, T, 3 * C),
    f(B, T, C),
    f(R, C),
    f(R, 4 * C),
    f(R, 4 * C),
    f(R, C),
    f(R, V),
  ];
  const ops: Op[] = [
    { op: 'zero', x: grads },
    ...[dx, dKept, dn, dqkv, dmixed, d_o, dh, da, dy, dlogits].map((t): Op => ({ op: 'zero', x: t })),
    { op: 'embed', tokens, positions, tokenTable: p('wte', [V, C]), positionTable: p('wpe', [T, C]), out: x },
    { op: 'dropout', x, key, scale, out: kept },
    { op: 'norm', kind: 'layernorm', x: kept, out: n, rstd },
    { op: 'linear', x: n, w: p('qkv', [3 * C, C]), bias: p('bias', [3 * C]), out: qkv },
    { op: 'attention', heads: H, qkv, probs, out: mixed },
    { op: 'linear', x: mixed, w: p('wo', [C, C]), bias: null, out: o },
    { op: 'linear', x: o, w: p('fc1', [4 * C, C]), bias: null, out: h },
    { op: 'activation', kind: 'gelu', x: h, out: a },
    { op: 'linear', x: a, w: p('fc2', [C, 4 * C]), bias: null, out: y },
    { op: 'linear', x: y, w: p('head', [V, C]), bias: null, out: logits },
    { op: 'crossEntropy', logits, targets, weights, probs: p2, losses, loss },
    { op: 'crossEntropyBackward', probs: p2, targets, weights, dLogits: dlogits },
    { op: 'linearBackward', x: y, w: p('head', [V, C]), dOut: dlogits, dX: dy, dW: g('head', [V, C]), dBias: null },
    { op: 'linearBackward', x: a, w: p('fc2', [C, 4 * C]), dOut: dy, dX: da, dW: g('fc2', [C, 4 * C]), dBias: null },
    { op: 'activationBackward', kind: 'gelu', x: h, dOut: da, dX: dh },
    { op: 'linearBackward', x: o, w: p('fc1', [4 * C, C]), dOut: dh, dX: d_o, dW: g('fc1', [4 * C, C]), dBias: null },
    { op: 'linearBackward', x: mixed, w: p('wo', [C, C]), dOut: d_o, dX: dmixed, dW: g('wo', [C, C]), dBias: null },
    { op: 'attentionBackward', heads: H, qkv, probs, dOut: dmixed, dQkv: dqkv },
    {
      op: 'linearBackward',
      x: n,
      w: p('qkv', [3 * C, C]),
      dOut: dqkv,
      dX: dn,
      dW: g('qkv', [3 * C, C]),
      dBias: g('bias', [3 * C]),
    },
    { op: 'normBackward', kind: 'layernorm', out: n, rstd, dOut: dn, dX: dKept },
    { op: 'dropoutBackward', dOut: dKept, key, scale, dX: dx },
    {
      op: 'embedBackward',
      tokens,
      positions,
      dOut: dx,
      dTokenTable: g('wte', [V, C]),
      dPositionTable: g('wpe', [T, C]),
    },
    { op: 'gradNorm', grads, norm: length },
    { op: 'clip', grads, norm: length, limit },
    { op: 'adamw', params, grads, m, v, hyper, guard: length },
  ];
  for (let step = 1; step <= 5; step++) {
    backend.write(hyper, [0.01, 0.9, 0.99, 1e-8, 0.1, 1 - 0.9 ** step, 1 - 0.99 ** step]);
    backend.run(ops);
  }
  return Float64Array.from([params, grads, m, v, loss, probs, length].flatMap((t) => [...backend.read(t)]));
}

describe('threads', () => {
  test.each([[[6, 24, 64, 4, 27]], [[3, 37, 52, 4, 33]], [[1, 150, 96, 3, 65]]] as const)(
    'shape %j: 2, 3, 4 and 8 threads leave the bits of one',
    (shape) => {
      const alone = createWasmBackend();
      const expected = train(alone, shape);
      expect(expected.every(Number.isFinite)).toBe(true);
      for (const count of [2, 3, 4, 8]) {
        const backend = createWasmBackend({ threads: { ...nodeThreads(count), sharedWork: 0 } });
        const got = train(backend, shape);
        expect(backend.sharedRuns()).toBe(5);
        expect(Buffer.compare(Buffer.from(got.buffer), Buffer.from(expected.buffer))).toBe(0);
        backend.close();
      }
      alone.close();
    },
  );

  /** Elements of every output that nobody wrote, in runs of the large model of test/same-bits.test.ts; outputs begin as zeros. */
  function untouched(count: number, start: StartThread): Record<string, number> {
    const [B, T, C, H] = [16, 32, 96, 4];
    const backend = createWasmBackend({ threads: { count, start, patience: 5000, sharedWork: 0 } });
    const filled = (...shape: number[]) => {
      const x = backend.alloc(shape);
      backend.write(x, values(sizeOf(shape), shape.length));
      return x;
    };
    const empty = (...shape: number[]) => {
      const x = backend.alloc(shape);
      backend.run([{ op: 'zero', x }]);
      return x;
    };
    const [x, w, dOut, qkv] = [filled(B * T, C), filled(4 * C, C), filled(B * T, 4 * C), filled(B, T, 3 * C)];
    const outputs = {
      out: empty(B * T, 4 * C),
      normed: empty(B * T, C),
      activated: empty(B * T, C),
      mixed: empty(B, T, C),
      dX: empty(B * T, C),
      dW: empty(4 * C, C),
    };
    const { out, normed, activated, mixed, dX, dW } = outputs;
    backend.run([
      { op: 'linear', x, w, bias: null, out },
      { op: 'norm', kind: 'layernorm', x, out: normed, rstd: empty(B * T) },
      { op: 'activation', kind: 'gelu', x, out: activated },
      { op: 'attention', heads: H, qkv, probs: empty(B, H, T, T), out: mixed },
      { op: 'linearBackward', x, w, dOut, dX, dW, dBias: null },
    ]);
    const left = Object.entries(outputs).map(([name, t]) => [name, backend.read(t).filter((v) => v === 0).length]);
    backend.close();
    return Object.fromEntries(left);
  }

  test.each([2, 3, 4, 8])('of %i threads each computes a part of its own of every op', (count) => {
    const none = { out: 0, normed: 0, activated: 0, mixed: 0, dX: 0, dW: 0 };
    expect(untouched(count, startThread)).toEqual(none);
    for (let idle = 1; idle < count; idle++) {
      // It meets the others, but does what thread 0 does.
      const start: StartThread = (source, data) =>
        startThread(source, data.worker === idle ? { ...data, worker: 0 } : data);
      for (const [name, left] of Object.entries(untouched(count, start)))
        expect(left, `${name} without thread ${idle}`).toBeGreaterThan(0);
    }
  });

  test('work is shared from the size on that is asked for, and else from SHARED_WORK on', () => {
    const threads = { count: 2, start: startThread, patience: 5000 };
    const product = (backend: WasmBackend, n: number): Op[] => {
      const [x, w, out] = [0, 1, 2].map(() => backend.alloc([n, n])) as [Tensor, Tensor, Tensor];
      return [{ op: 'linear', x, w, bias: null, out }];
    };
    for (const [sharedWork, n, shares] of [
      [0, 4, true],
      [64 ** 3, 64, true],
      [64 ** 3 + 1, 64, false],
      [undefined, Math.ceil(Math.cbrt(SHARED_WORK)), true],
      [undefined, Math.floor(Math.cbrt(SHARED_WORK)) - 1, false],
    ] as const) {
      const backend = createWasmBackend({ threads: sharedWork === undefined ? threads : { ...threads, sharedWork } });
      const ops = product(backend, n);
      expect(workOf(ops)).toBe(n ** 3);
      backend.run(ops);
      expect(backend.sharedRuns(), `${sharedWork}, ${n}³`).toBe(shares ? 1 : 0);
      backend.close();
    }
  });

  test('with a clock, runs are shared and not in turn, with the bits of one thread', () => {
    let time = 0;
    const now = () => (time += 4); // every run takes 4 ms: sharing never wins, and is tried again and again
    const backend = createWasmBackend({ threads: { ...nodeThreads(2), now } });
    const alone = createWasmBackend();
    const expected = train(alone, [6, 24, 64, 4, 27]);
    for (let i = 0; i < 8; i++) {
      const got = train(backend, [6, 24, 64, 4, 27]);
      expect(Buffer.compare(Buffer.from(got.buffer), Buffer.from(expected.buffer))).toBe(0);
    }
    expect(backend.sharedRuns()).toBeGreaterThan(3);
    expect(backend.sharedRuns()).toBeLessThan(20); // of 40
    backend.close();
  });

  const startBroken =
    (body: string): StartThread =>
    (_source, data) => {
      const worker = new Worker(
        `const d = require('node:worker_threads').workerData;
      const c = new Int32Array(d.memory.buffer, d.control, 8), b = new Int32Array(d.memory.buffer, d.barrier, 8);
      Atomics.add(c, 4, 1); Atomics.notify(c, 4); ${body}`,
        { eval: true, workerData: data },
      );
      worker.unref();
    };

  test('a thread that fails becomes an error, at once and from then on', () => {
    const start = startBroken('Atomics.wait(c, 0, 0); Atomics.store(b, 2, d.worker); Atomics.notify(b, 1);');
    const backend = createWasmBackend({ threads: { count: 2, start, patience: 5000, sharedWork: 0 } });
    expect(() => train(backend, [6, 24, 64, 4, 27])).toThrow('kernel thread 1 failed');
    expect(() => train(backend, [6, 24, 64, 4, 27])).toThrow('create a new one');
  });

  test('threads that never start leave the work to the caller', () => {
    const backend = createWasmBackend({ threads: { count: 4, start: () => {}, patience: 10, sharedWork: 0 } });
    const alone = createWasmBackend();
    expect(train(backend, [6, 24, 64, 4, 27])).toEqual(train(alone, [6, 24, 64, 4, 27]));
    expect(backend.sharedRuns()).toBe(0);
  });
});
