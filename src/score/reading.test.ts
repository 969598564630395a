import { expect, test } from 'vitest';
import { FULL } from '../../test/golden.js';
import { testSeed } from '../../test/scored-models.js';
import { createPythonRandom } from '../base/python-random.js';
import type { Reader } from '../generate/scheduler.js';
import { slide, windowFor } from '../generate/sliding.js';
import { placesFor, readSequences } from './reading.js';

const V = 3;

/** A reader whose logits tell what it has read in a place; it refuses more than the context. */
function tellingReader(sequences: number, blockSize: number): Reader {
  const read: number[][] = Array.from({ length: sequences }, () => []);
  const logits = new Float64Array(64 * V);
  return {
    sequences,
    position: (place) => read[place].length,
    restart: (place) => {
      read[place] = [];
    },
    read(tokens, of) {
      if (tokens.length > 64 || of.length !== tokens.length)
        throw new Error(`${tokens.length} tokens, ${of.length} places`);
      for (let r = 0; r < tokens.length; r++) {
        read[of[r]].push(tokens[r]);
        if (read[of[r]].length > blockSize) throw new Error('more is read than the context holds');
        logits[r * V] = digest(read[of[r]]);
      }
      return logits;
    },
  };
}

const digest = (tokens: readonly number[]) => tokens.reduce((sum, token) => (sum * 31 + token + 1) % 1_000_003, 7);

/** What has been read before each token but the first, as generation reads. */
function contexts(tokens: readonly number[], blockSize: number, bosFirst: boolean): number[] {
  const out: number[] = [];
  let read: number[] = [];
  for (let n = 1; n < tokens.length; n++) {
    read =
      read.length === blockSize ? slide(tokens.slice(0, n), windowFor(blockSize, bosFirst)) : [...read, tokens[n - 1]];
    out.push(digest(read));
  }
  return out;
}

test('every token but the first is shown once, in order, after what generation would have read; with any number of places', () => {
  const random = createPythonRandom(testSeed());
  const below = (n: number) => Math.floor(random.random() * n);
  for (let round = 0; round < (FULL ? 240 : 60); round++) {
    const blockSize = 1 + below(round % 5 === 0 ? 100 : 20); // also more than a reading has rows
    const bosFirst = round % 2 === 0;
    const places = [1, 2, 3, 64][round % 4];
    const sequences = Array.from({ length: below(90) }, () =>
      Array.from({ length: below(round % 3 === 0 ? 5 : 120) }, () => below(100)),
    );
    const shown: number[][] = sequences.map(() => []);
    readSequences(
      tellingReader(places, blockSize),
      sequences,
      { blockSize, vocabSize: V, bosFirst },
      (s, next, logits, at) => {
        shown[s].push(logits[at]);
        if (shown[s].length !== next) throw new Error(`token ${next} comes as number ${shown[s].length}`);
      },
    );
    expect(shown, `context ${blockSize}, ${places} places`).toEqual(
      sequences.map((tokens) => contexts(tokens, blockSize, bosFirst)),
    );
  }
});

test('caches of a large model stay within 64 MB, or are one', () => {
  expect(placesFor({ blockSize: 16, nEmbd: 16, nLayer: 1 })).toBe(64);
  expect(placesFor({ blockSize: 1024, nEmbd: 384, nLayer: 6 })).toBe(3);
  expect(placesFor({ blockSize: 65_536, nEmbd: 16_384, nLayer: 128 })).toBe(1);
});
