/**
 * What logits say of a token, on lists that are checked by hand.
 */
import { expect, test } from 'vitest';
import { largestSurprise, likeliest, logSumExp, rank, surprise } from './surprise.js';

const LOGITS = [9, 1, 3, 3, 1, 9]; // the four from place 1 on are meant

test('ranks: of equal ones the lowest id comes first, as in the list of the likeliest', () => {
  expect([0, 1, 2, 3].map((token) => rank(LOGITS, 1, 4, token))).toEqual([2, 0, 1, 3]);
  for (const k of [1, 2, 3, 4])
    expect(likeliest(LOGITS, 1, 4, k).map(({ id }) => id)).toEqual([1, 2, 0, 3].slice(0, k));
});

test('surprise is the logarithm of one over the probability; the least likely token surprises most', () => {
  const sum = 2 * Math.exp(1) + 2 * Math.exp(3);
  expect(surprise(LOGITS, 1, 4, 1)).toBeCloseTo(Math.log(sum / Math.exp(3)), 12);
  expect(largestSurprise(LOGITS, 1, 4)).toBeCloseTo(Math.log(sum / Math.exp(1)), 12);
  expect(likeliest(LOGITS, 1, 4, 1)[0].probability).toBeCloseTo(Math.exp(3) / sum, 12);
  expect(logSumExp([1e4, 1e4], 0, 2)).toBeCloseTo(1e4 + Math.log(2), 9);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => logSumExp([0, bad], 0, 2)).toThrow(expect.objectContaining({ code: 'MG_GEN_NONFINITE' }));
});
