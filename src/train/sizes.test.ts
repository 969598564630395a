import { expect, test } from 'vitest';
import { sizesFor } from './sizes.js';

const names = { format: 'lines', documents: 30_000, tokens: 228_000, longest: 17 } as const;

test('more time, a model that is no smaller; a step of about as many tokens as the ladder says', () => {
  const budgets = [0.5, 1, 2, 3, 10, 20, 21, 60, 90, 91, 900, 901, 86_400];
  let before = 0;
  for (const seconds of budgets) {
    const { nEmbd, nHead, nLayer, blockSize, batchSize } = sizesFor(names, seconds);
    expect(nEmbd ** 2 * nLayer).toBeGreaterThanOrEqual(before);
    before = nEmbd ** 2 * nLayer;
    expect([nEmbd % nHead, nHead >= 4, blockSize]).toEqual([0, true, 16]);
    expect(batchSize * 7.6).toBeGreaterThan(200);
  }
  expect(sizesFor(names, null)).toEqual(sizesFor(names, 10));
  for (const [least, most] of [
    [0.5, 2],
    [3, 20],
    [21, 90],
    [91, 900],
  ]) {
    expect(sizesFor(names, most)).toEqual(sizesFor(names, least));
    expect(sizesFor(names, most + 1)).not.toEqual(sizesFor(names, most));
  }
});

test('dropout only with time to spare and a model that could learn the text by heart', () => {
  expect([1, 10, 60].map((seconds) => sizesFor(names, seconds).dropout)).toEqual([0, 0, 0.1]);
  expect(sizesFor({ ...names, tokens: 500_000 }, 60).dropout).toBe(0);
});
