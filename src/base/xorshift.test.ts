import { expect, test } from 'vitest';
import { createXorshift64, createXorshift64Star, XORSHIFT_STREAMS } from './xorshift.js';

test('xorshift64*: the offsets that the byte-level trainer drew for its checks with seed 1', () => {
  const random = createXorshift64Star(1n ^ XORSHIFT_STREAMS.sanity);
  expect(Array.from({ length: 5 }, () => random.integer(0, 20_479 - 65))).toEqual([370, 10_134, 4004, 18_324, 10_931]);
});

test('xorshift64: the first number of a small seed is close to 0, which is why the first letter of such samples is always "a"', () => {
  for (let seed = 0; seed < 20; seed++) expect(createXorshift64(seed).uniform()).toBeLessThan(1e-8);
  expect(createXorshift64(1).next()).toBe(1082269761n); // 1 ^ 1<<13, ^ >>7, ^ <<17, by hand
});

test('a state of 0 is replaced, seeds count modulo 2^64, and numbers stay in their range', () => {
  expect(createXorshift64(0).next()).toBe(createXorshift64(1).next());
  expect(createXorshift64(2n ** 64n + 5n).next()).toBe(createXorshift64(5).next());
  expect(createXorshift64Star(0).next()).toBe(createXorshift64Star(0x12345678).next());
  const random = createXorshift64Star(7);
  const drawn = Array.from({ length: 10_000 }, () => random.uniform());
  expect(drawn.every((u) => u >= 0 && u < 1 && Number.isInteger(u * 2 ** 24))).toBe(true);
  expect(Math.abs(drawn.reduce((a, b) => a + b) / drawn.length - 0.5)).toBeLessThan(0.02);
});
