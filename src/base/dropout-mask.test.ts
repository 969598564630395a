import { expect, test } from 'vitest';
import { type DropoutKey, dropoutKey, dropThreshold, keeps, partKey, placeKey } from './dropout-mask.js';

const N = 100_000;
const draw = (key: DropoutKey, rate: number, n = N) =>
  Uint8Array.from({ length: n }, (_, i) => (keeps(key, dropThreshold(rate), i) ? 0 : 1));
const share = (bits: Uint8Array) => bits.reduce((sum, bit) => sum + bit, 0) / bits.length;
const keyOf = (seed: number, step: number, part: number, place: number) =>
  placeKey(partKey(dropoutKey(seed, step), part), place);

/** How far a share of n independent draws may be from p: five standard deviations. */
const within = (p: number, n: number) => 5 * Math.sqrt((p * (1 - p)) / n);

test.each([0.01, 0.1, 0.5, 0.9])('a rate of %f drops that share, with every key', (rate) => {
  for (let step = 0; step < 20; step++) {
    expect(Math.abs(share(draw(keyOf(42, step, 0, 0), rate)) - rate)).toBeLessThan(within(rate, N));
  }
  expect(share(draw(keyOf(42, 0, 0, 0), 0))).toBe(0);
});

test('masks of neighbouring seeds, steps, parts and places are independent of each other', () => {
  const rate = 0.3;
  const keys = [keyOf(1, 0, 0, 0), keyOf(2, 0, 0, 0), keyOf(1, 1, 0, 0), keyOf(1, 0, 1, 0), keyOf(1, 0, 0, 1)];
  const masks = keys.map((key) => draw(key, rate));
  for (const [i, a] of masks.entries()) {
    for (const b of masks.slice(i + 1)) {
      const both = share(a.map((bit, k) => bit & b[k]));
      expect(Math.abs(both - rate * rate)).toBeLessThan(within(rate * rate, N));
    }
  }
});

test('neighbours in a mask, and elements a row of the usual widths apart, are independent', () => {
  const rate = 0.3;
  const mask = draw(keyOf(7, 3, 0, 2), rate);
  for (const distance of [1, 2, 3, 4, 8, 16, 64, 256, 384, 4096]) {
    const both = share(mask.subarray(distance).map((bit, i) => bit & mask[i]));
    expect(Math.abs(both - rate * rate), `distance ${distance}`).toBeLessThan(within(rate * rate, N - distance));
  }
});

test('no element is dropped more often than others over the steps', () => {
  const rate = 0.2;
  const steps = 2000;
  const counts = new Float64Array(64);
  for (let step = 0; step < steps; step++) {
    for (const [i, bit] of draw(keyOf(5, step, 0, 1), rate, 64).entries()) counts[i] += bit;
  }
  for (const count of counts) expect(Math.abs(count / steps - rate)).toBeLessThan(within(rate, steps));
  // χ² over the elements, 64 degrees of freedom: mean 64, standard deviation 11.3
  const chi = counts.reduce((sum, count) => sum + (count - steps * rate) ** 2 / (steps * rate * (1 - rate)), 0);
  expect(chi).toBeGreaterThan(64 - 45);
  expect(chi).toBeLessThan(64 + 57);
});

test('keys are pinned: what was trained with dropout can be trained again', () => {
  expect(keyOf(42, 7, 1, 2)).toEqual([509422109, 506868131]);
  expect(draw(keyOf(42, 7, 1, 2), 0.5, 32).join('')).toBe('01001010011000101101100111011011');
});
