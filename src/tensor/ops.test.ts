import { expect, test } from 'vitest';
import { createReferenceBackend } from '../backend/reference/reference.js';
import { createPythonRandom } from '../base/python-random.js';
import { type Op, sizeOf, type Tensor } from './backend.js';
import { activation, add, attention, crossEntropy, dropout, embed, linear, norm } from './ops.js';
import { createTape, finish, type Node, record, type Tape } from './tape.js';

/**
 * Builds a calculation from random inputs, takes its result to one number with fixed random weights, and compares the gradient
 * of every input element with the slope of that number.
 */
function checkGradients(
  shapes: Record<string, readonly number[]>,
  build: (tape: Tape, inputs: Record<string, Node>) => Node,
  { away = 0 }: { away?: number } = {},
) {
  const random = createPythonRandom(7);
  const backend = createReferenceBackend();
  const tape = createTape(backend, true);
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const value = backend.alloc(shape);
      // `away` keeps inputs off the kink of relu, where there is no slope.
      const draw = () => {
        const x = random.gauss(0, 1);
        return x + Math.sign(x) * away;
      };
      backend.write(value, Array.from({ length: sizeOf(shape) }, draw));
      return [name, { value, grad: backend.alloc(shape) }];
    }),
  );
  const out = build(tape, inputs);
  const weights = Array.from({ length: sizeOf(out.value.shape) }, () => random.gauss(0, 1));
  startFrom(tape, out, weights);
  const { forward, backward } = finish(tape);

  const result = () => {
    backend.run(forward);
    return backend.read(out.value).reduce((sum, y, i) => sum + y * weights[i], 0);
  };
  result();
  backend.run(backward);

  const h = 1e-5;
  for (const [name, { value, grad }] of Object.entries(inputs)) {
    const x = backend.read(value);
    const found = backend.read(grad as Tensor);
    for (let i = 0; i < x.length; i++) {
      const at = (shift: number) => {
        const shifted = x.slice();
        shifted[i] += shift;
        backend.write(value, shifted);
        return result();
      };
      const slope = (at(h) - at(-h)) / (2 * h);
      backend.write(value, x);
      const error = Math.abs(found[i] - slope) / Math.max(1, Math.abs(slope));
      expect(error, `${name}[${i}]: gradient ${found[i]}, slope ${slope}`).toBeLessThan(1e-7);
    }
  }
}

/** Ends the calculation: the gradient of `out` starts as `values`. */
function startFrom(tape: Tape, out: Node, values: readonly number[]) {
  const start = tape.backend.alloc(out.value.shape);
  tape.backend.write(start, values);
  const nothing: Op = { op: 'zero', x: tape.backend.alloc([1]) };
  record(tape, nothing, null, (grad) => [{ op: 'accumulate', x: start, into: grad(out) }]);
}

function ints(tape: Tape, values: readonly number[]): Tensor {
  const x = tape.backend.alloc([values.length], 'int');
  tape.backend.write(x, values);
  return x;
}

test('embed', () => {
  checkGradients({ tokens: [5, 3], positions: [4, 3] }, (tape, { tokens, positions }) =>
    embed(tape, ints(tape, [4, 0, 4, 1]), ints(tape, [0, 1, 2, 0]), tokens, positions),
  );
});

test.each(['rmsnorm', 'layernorm'] as const)('%s', (kind) => {
  checkGradients({ x: [4, 6] }, (tape, { x }) => norm(tape, kind, x));
});

test('linear, with and without bias', () => {
  checkGradients({ x: [3, 5], w: [4, 5] }, (tape, { x, w }) => linear(tape, x, w, null));
  checkGradients({ x: [3, 5], w: [4, 5], b: [4] }, (tape, { x, w, b }) => linear(tape, x, w, b));
});

test.each([
  [1, 1, 1, 2],
  [1, 2, 5, 4],
  [3, 4, 4, 8],
])('attention, %i sequences, %i heads, %i tokens, %i wide', (batch, heads, time, width) => {
  checkGradients({ qkv: [batch * time, 3 * width] }, (tape, { qkv }) =>
    attention(tape, heads, { count: batch, longest: time }, qkv),
  );
});

test('attention over sequences of different lengths', () => {
  checkGradients({ qkv: [6, 12] }, (tape, { qkv }) =>
    attention(tape, 2, { count: 4, longest: 3, starts: ints(tape, [0, 2, 2, 5, 6]) }, qkv),
  );
});

test.each(['relu', 'relu2', 'gelu'] as const)('%s', (kind) => {
  checkGradients({ x: [4, 6] }, (tape, { x }) => activation(tape, kind, x), { away: 1e-3 });
});

test('dropout, alone and where its input goes on elsewhere', () => {
  const place = (tape: Tape) => {
    const [key, scale] = [tape.backend.alloc([3], 'int'), tape.backend.alloc([1])];
    tape.backend.write(key, [123456789, -987654321, 0x60000000]);
    tape.backend.write(scale, [1.6]);
    return { key, scale };
  };
  checkGradients({ x: [5, 7] }, (tape, { x }) => dropout(tape, place(tape), x));
  checkGradients({ x: [5, 7] }, (tape, { x }) => add(tape, dropout(tape, place(tape), x), x));
});

test('add, of two and of one with itself', () => {
  checkGradients({ a: [2, 3], b: [2, 3] }, (tape, { a, b }) => add(tape, a, b));
  checkGradients({ a: [2, 3] }, (tape, { a }) => add(tape, a, a));
});

test('cross-entropy: the gradient is the slope of the loss, rows of weight 0 take no part', () => {
  const backend = createReferenceBackend();
  const tape = createTape(backend, true);
  const logits = { value: backend.alloc([3, 5]), grad: backend.alloc([3, 5]) };
  const random = createPythonRandom(3);
  const x = Array.from({ length: 15 }, () => random.gauss(0, 2));
  const weights = backend.alloc([3]);
  backend.write(weights, [0.25, 0, 0.75]);
  const { loss } = crossEntropy(tape, logits, ints(tape, [1, 2, 4]), weights);
  const { forward, backward } = finish(tape);
  const at = (values: readonly number[]) => {
    backend.write(logits.value, values);
    backend.run(forward);
    return backend.read(loss)[0];
  };
  at(x);
  backend.run(backward);
  const found = backend.read(logits.grad);
  x.forEach((_, i) => {
    const shifted = (h: number) => x.map((v, k) => (k === i ? v + h : v));
    const slope = (at(shifted(1e-5)) - at(shifted(-1e-5))) / 2e-5;
    expect(Math.abs(found[i] - slope)).toBeLessThan(1e-8);
  });
  expect([...found.slice(5, 10)]).toEqual([0, 0, 0, 0, 0]);
});

test('cross-entropy stays exact where probabilities underflow', () => {
  const backend = createReferenceBackend();
  const tape = createTape(backend, false);
  const logits = { value: backend.alloc([1, 2]), grad: null };
  backend.write(logits.value, [2000, 0]);
  const weights = backend.alloc([1]);
  backend.write(weights, [1]);
  const { loss } = crossEntropy(tape, logits, ints(tape, [1]), weights);
  backend.run(finish(tape).forward);
  expect(backend.read(loss)[0]).toBe(2000);
});

test('a backward pass with a wrong factor would be noticed', () => {
  // Negative control: hand the checker a relu whose gradient is that of relu².
  const wrong = (tape: Tape, x: Node) => {
    const out = activation(tape, 'relu', x);
    const right = tape.undo.pop()!;
    const asSquared = (op: Op): Op => (op.op === 'activationBackward' ? { ...op, kind: 'relu2' } : op);
    tape.undo.push({ ...right, undo: (grad) => right.undo(grad).map(asSquared) });
    return out;
  };
  expect(() => checkGradients({ x: [2, 3] }, (tape, { x }) => wrong(tape, x), { away: 1e-3 })).toThrow(/slope/);
});

test('memory of gradients is used again: a deeper calculation needs no more of it', () => {
  const words = (depth: number) => {
    const backend = createReferenceBackend();
    const tape = createTape(backend, true);
    const w = { value: backend.alloc([8, 8]), grad: backend.alloc([8, 8]) };
    let x: Node = { value: backend.alloc([4, 8]), grad: backend.alloc([4, 8]) };
    for (let i = 0; i < depth; i++) x = add(tape, linear(tape, norm(tape, 'rmsnorm', x), w, null), x);
    const before = backend.mark().float;
    finish(tape);
    return backend.mark().float - before;
  };
  expect(words(50)).toBe(words(2));
});
