import { expect, test } from 'vitest';
import { cos, exp, log, pow, sin, tanh } from './math.js';

/** Distance in units in the last place. */
function ulps(a: number, b: number): number {
  if (Object.is(a, b) || a === b) return 0;
  const bits = new BigInt64Array(new Float64Array([a, b]).buffer);
  return Math.abs(Number(bits[0] - bits[1]));
}

const cases: [string, (x: number) => number, (x: number) => number, number, number][] = [
  ['exp', exp, Math.exp, -700, 700],
  ['exp', exp, Math.exp, -1, 1],
  ['log', (x) => log(exp(x)), (x) => Math.log(exp(x)), -700, 700],
  ['log', log, Math.log, 0.5, 2],
  ['sin', sin, Math.sin, -7, 7],
  ['cos', cos, Math.cos, -7, 7],
  ['tanh', tanh, Math.tanh, -3, 3],
  ['tanh', tanh, Math.tanh, -0.2, 0.2],
  ['pow', (x) => pow(0.85, x), (x) => 0.85 ** x, 0, 300],
];

test.each(cases)('%s agrees with the engine’s own to the last digits (%#)', (name, ours, theirs, from, to) => {
  let worst = 0;
  for (let i = 0; i <= 20_000; i++) {
    const x = from + ((to - from) * i) / 20_000;
    worst = Math.max(worst, ulps(ours(x), theirs(x)));
  }
  expect(worst).toBeLessThanOrEqual(name === 'tanh' || name === 'pow' ? 4 : 1);
});

test('edges: zero, one, infinities, NaN, subnormal numbers', () => {
  expect(exp(0)).toBe(1);
  expect(exp(-Infinity)).toBe(0);
  expect(exp(1000)).toBe(Infinity);
  expect(exp(NaN)).toBeNaN();
  expect(ulps(exp(-744), Math.exp(-744))).toBeLessThanOrEqual(1);
  expect(log(0)).toBe(-Infinity);
  expect(log(-1)).toBeNaN();
  expect(log(1)).toBe(0);
  expect(ulps(log(5e-324), Math.log(5e-324))).toBeLessThanOrEqual(1);
  expect(tanh(Infinity)).toBe(1);
  expect(tanh(-1e300)).toBe(-1);
  expect(tanh(NaN)).toBeNaN();
  expect(cos(0)).toBe(1);
  expect(sin(0)).toBe(0);
  expect(pow(2, 10)).toBe(1024);
  expect(pow(0, 0.5)).toBe(0);
  expect(pow(0.99, 0)).toBe(1);
});
