/**
 * Sums over ranks: the bits of the plain sum for any number of ranks and parts, on a scripted transport that plays the other ranks.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createOrderedSum, createRanks, gatherDealt, partsIn, share, sliceBounds, type Transport } from './ranks.js';

const nothing = (): never => {
  throw new Error('not expected here');
};

/** What rank `rank` sees when the parts of all ranks are known beforehand. */
function scripted(
  rank: number,
  size: number,
  n: number,
  parts: readonly Float32Array[],
  slices: Float32Array[],
): Transport {
  let round = 0;
  const bounds = sliceBounds(n, size);
  return {
    rank,
    size,
    broadcast: nothing,
    allToAll(send, sent, receive, received) {
      const given = new Float32Array(send.buffer, send.byteOffset, n);
      if (round * size + rank < parts.length) expect(given).toEqual(parts[round * size + rank]);
      else expect([...sent.count].every((count) => count === 0)).toBe(true);
      for (let s = 0; s < size; s++) {
        const part = parts[round * size + s];
        const expected = part === undefined ? 0 : 4 * ((bounds[rank + 1] as number) - (bounds[rank] as number));
        expect(received.count[s]).toBe(expected);
        const bytes = part && new Uint8Array(part.slice(bounds[rank], bounds[rank + 1]).buffer);
        if (bytes) receive.set(bytes, received.from[s]);
      }
      round++;
    },
    allGather(mine, all, counts) {
      expect(mine.length).toBe(counts[rank]);
      slices[rank] = new Float32Array(mine.slice().buffer);
      expect([...counts].reduce((a, b) => a + b, 0)).toBe(all.length);
    },
    seconds: () => 0,
    close: nothing,
  };
}

test('the slices of all ranks make the sum in the order of the parts, bit for bit', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 40, maxLength: 40 }), {
        minLength: 1,
        maxLength: 9,
      }),
      (size, n, lists) => {
        const parts = lists.map((list) => Float32Array.from(list.slice(0, n)));
        const want = new Float32Array(parts[0] as Float32Array);
        for (const part of parts.slice(1))
          for (let i = 0; i < n; i++) want[i] = (want[i] as number) + (part[i] as number);
        const slices: Float32Array[] = [];
        for (let rank = 0; rank < size; rank++) {
          const sum = createOrderedSum(scripted(rank, size, n, parts, slices), n, 'f32');
          for (let first = 0; first < parts.length; first += size) {
            const own = parts[first + rank];
            if (own) sum.part.set(own);
            sum.add(partsIn(parts.length, first, size));
          }
          sum.finish();
        }
        expect(Float32Array.from(slices.flatMap((slice) => [...slice]))).toEqual(want);
      },
    ),
    { seed: 9, numRuns: 300 },
  );
});

/** One rank among others that give what `all` says. */
const answering = (rank: number, size: number, all: readonly number[]): Transport => ({
  rank,
  size,
  broadcast: (bytes) => bytes.set(new Uint8Array(Float64Array.from([3]).buffer).slice(0, bytes.length)),
  allToAll: nothing,
  allGather: (_mine, into) => into.set(new Uint8Array(Float64Array.from(all).buffer)),
  seconds: () => 0,
  close: nothing,
});

test('numbers that were dealt out come back in their order', () => {
  // Five numbers on two ranks: rank 0 has the 1st, 3rd and 5th.
  expect(gatherDealt(answering(0, 2, [1, 3, 5, 2, 4, 0]), [1, 3, 5], 5)).toEqual([1, 2, 3, 4, 5]);
});

test('what rank 0 shares has its length on every rank', () => {
  expect(share(answering(1, 2, []), new Uint8Array(0))).toHaveLength(3);
});

test('a stop is agreed on, never taken alone', () => {
  const ranks = createRanks(answering(0, 2, []));
  ranks.askToStop();
  expect([ranks.asked(), ranks.stopped.aborted]).toEqual([true, false]);
  ranks.agree(false);
  expect(ranks.stopped.aborted).toBe(false);
  ranks.agree(true);
  expect(ranks.stopped.aborted).toBe(true);
});
