/**
 * What ranks agree on before the first step: facts are compared, rank 0's weights go to everyone, and what did not arrive whole is noticed.
 */
import { expect, test } from 'vitest';
import { sha256 } from '../base/sha256.js';
import { bytesOf, type Transport } from '../train/ranks.js';
import { requireSame, shareWeights } from './ranks.js';

const nothing = (): never => {
  throw new Error('not expected here');
};

/** Rank 1 of two, where rank 0 gives `theirs`; on the way `harm` may change it. */
function second(theirs: Float64Array<ArrayBuffer>, harm: (bytes: Uint8Array) => void = () => {}): Transport {
  return {
    rank: 1,
    size: 2,
    broadcast(bytes) {
      bytes.set(bytesOf(theirs));
      harm(bytes);
    },
    allToAll: nothing,
    allGather(mine, all) {
      all.set(new TextEncoder().encode(sha256(bytesOf(theirs))), 0);
      all.set(mine, mine.length);
    },
    seconds: () => 0,
    close: nothing,
  };
}

test('rank 0 gives the weights, to the bit, whatever a rank has drawn itself', () => {
  const theirs = Float64Array.of(0.1, -0, 1e-300, Math.PI);
  const mine = Float64Array.of(9, 9, 9, 9);
  const got = shareWeights(second(theirs), mine);
  expect(Object.is(got[1], -0)).toBe(true);
  expect([...got]).toEqual([...theirs]);
  expect([...mine]).toEqual([9, 9, 9, 9]); // a file's weights are somebody else's
  const first = { ...second(theirs), rank: 0, broadcast: () => {} };
  expect(shareWeights(first, theirs)).toBe(theirs);
});

test('weights that did not arrive as they were sent are refused', () => {
  const harm = (bytes: Uint8Array): void => {
    bytes[3] = (bytes[3] as number) ^ 1;
  };
  expect(() => shareWeights(second(Float64Array.of(1, 2), harm), new Float64Array(2))).toThrow(
    'the first weights of process 1 and of process 0 differ',
  );
});

test('of several facts the one that differs is named', () => {
  const theirs = Float64Array.of(1);
  const same = sha256(bytesOf(theirs));
  const transport: Transport = {
    ...second(theirs),
    allGather(mine, all) {
      all.set(new TextEncoder().encode(same + same), 0);
      all.set(mine, mine.length);
    },
  };
  expect(() =>
    requireSame(transport, [
      ['settings', same],
      ['text', same],
    ]),
  ).not.toThrow();
  expect(() =>
    requireSame(transport, [
      ['settings', same],
      ['text', sha256(new Uint8Array(1))],
    ]),
  ).toThrow('the text of process 1');
});
