import { expect, test } from 'vitest';
import { createPythonRandom } from '../base/python-random.js';
import { Tape, type Value } from './value.js';

/** d f / d x by central difference. */
function slope(f: (x: number) => number, x: number, h = 1e-5): number {
  return (f(x + h) - f(x - h)) / (2 * h);
}

const operations: [string, (x: Value, y: Value) => Value][] = [
  ['add', (x, y) => x.add(y)],
  ['add a number', (x) => x.add(3)],
  ['sub', (x, y) => x.sub(y)],
  ['sub a number', (x) => x.sub(3)],
  ['mul', (x, y) => x.mul(y)],
  ['mul itself', (x) => x.mul(x)],
  ['mul a number', (x) => x.mul(-2.5)],
  ['div', (x, y) => x.div(y)],
  ['div by a number', (x) => x.div(7)],
  ['neg', (x) => x.neg()],
  ['pow 2', (x) => x.pow(2)],
  ['pow 3', (x) => x.pow(3)],
  ['pow -1/2', (x, y) => y.pow(-0.5).mul(x)],
  ['pow 1.7', (_, y) => y.pow(1.7)],
  ['exp', (x) => x.exp()],
  ['log', (_, y) => y.log()],
  ['relu', (x) => x.relu()],
  ['tanh', (x) => x.tanh()],
];

test.each(operations)('%s: its gradients are the slopes of its result', (_, operation) => {
  const random = createPythonRandom(1);
  for (let trial = 0; trial < 20; trial++) {
    const xs = random.random() * 6 - 3;
    const ys = random.random() * 3 + 0.1;
    const at = (x: number, y: number) => {
      const tape = new Tape();
      return operation(tape.leaf(x), tape.leaf(y)).data;
    };
    const tape = new Tape();
    const x = tape.leaf(xs);
    const y = tape.leaf(ys);
    operation(x, y).backward();
    for (const [got, wanted] of [
      [x.grad, slope((v) => at(v, ys), xs)],
      [y.grad, slope((v) => at(xs, v), ys)],
    ] as const) {
      expect(Math.abs(got - wanted) / Math.max(1, Math.abs(wanted))).toBeLessThan(1e-7);
    }
  }
});

test('a Value used twice collects the gradients of both uses', () => {
  const tape = new Tape();
  const x = tape.leaf(3);
  const y = x.mul(x).add(x);
  y.backward();
  expect(y.data).toBe(12);
  expect(x.grad).toBe(7);
});

test('a chain of 1,000,000 operations runs backwards', () => {
  const tape = new Tape();
  const x = tape.leaf(2);
  let y = x.add(0);
  for (let i = 1; i < 1_000_000; i++) y = i % 2 ? y.mul(2) : y.mul(0.5);
  expect(tape.length).toBe(1_000_000);
  y.backward();
  expect(x.grad).toBe(2);
});

test('a cleared tape keeps leaves and starts anew', () => {
  const tape = new Tape();
  const x = tape.leaf(5);
  x.mul(2).backward();
  tape.clear();
  x.grad = 0;
  x.mul(4).backward();
  expect(tape.length).toBe(1);
  expect(x.grad).toBe(4);
});
