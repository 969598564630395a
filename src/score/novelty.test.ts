import { expect, test } from 'vitest';
import { shuffledNames } from '../../test/golden.js';
import { testSeed } from '../../test/scored-models.js';
import { createPythonRandom } from '../base/python-random.js';
import { createCopiedRuns } from './copied-runs.js';
import { createNearIndex, editDistance, editsAllowed } from './near.js';
import { novelty } from './novelty.js';
import { calibration } from './percentiles.js';

const random = createPythonRandom(testSeed());
const below = (n: number) => Math.floor(random.random() * n);
const word = (most: number, letters: string) =>
  Array.from({ length: below(most + 1) }, () => [...letters][below([...letters].length)]).join('');

/** Levenshtein by the book. */
function distance(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  const table = x.concat('').map(() => new Array<number>(y.length + 1).fill(0));
  for (let i = 0; i <= x.length; i++) {
    for (let j = 0; j <= y.length; j++) {
      if (i === 0 || j === 0) table[i][j] = i + j;
      else {
        const changed = table[i - 1][j - 1] + (x[i - 1] === y[j - 1] ? 0 : 1);
        table[i][j] = Math.min(changed, table[i - 1][j] + 1, table[i][j - 1] + 1);
      }
    }
  }
  return table[x.length][y.length];
}

test('edit distance is Levenshtein, up to a bound', () => {
  const points = (text: string) => [...text].map((c) => c.codePointAt(0) ?? 0);
  for (let i = 0; i < 2000; i++) {
    const [a, b] = [word(8, 'ab🌍'), word(8, 'ab🌍')];
    for (const most of [0, 1, 2, 3]) {
      const right = distance(a, b);
      expect(editDistance(points(a), points(b), most), `${a} ${b} ${most}`).toBe(right <= most ? right : null);
    }
  }
});

test('the index finds exactly what comparing with every line finds', () => {
  for (let round = 0; round < 60; round++) {
    const letters = ['ab', 'abc', 'abcdefgh🌍é'][round % 3];
    const lines = Array.from({ length: 60 }, () => word(14, letters)).filter((line) => line !== '');
    const index = createNearIndex(lines);
    for (const line of [...lines.slice(0, 20), ...Array.from({ length: 60 }, () => word(14, letters))]) {
      const distances = lines.map((other) => distance(line, other)).filter((d) => d > 0);
      const least = Math.min(...distances, 99);
      const length = [...line].length;
      const right = length > 0 && least <= editsAllowed(length) ? least : null;
      expect(index.nearest(line), `${line} among ${lines}`).toBe(right);
      expect(index.has(line)).toBe(lines.includes(line));
    }
  }
});

test('the longest copied run of each sample is what looking for every run finds', () => {
  for (let round = 0; round < 60; round++) {
    const letters = ['ab', 'abc', 'abcdefgh'][round % 3];
    const lines = Array.from({ length: 12 }, () => word(30, letters));
    const samples = Array.from({ length: 12 }, () => word(20, letters));
    const runs = createCopiedRuns(samples);
    for (const line of lines) runs.add(line);
    runs.longest().forEach(({ length, text }, i) => {
      let right = 0;
      const sample = samples[i];
      for (let from = 0; from < sample.length; from++)
        for (let to = from + 1; to <= sample.length; to++)
          if (to - from > right && lines.some((line) => line.includes(sample.slice(from, to)))) right = to - from;
      expect(length, `${sample} in ${lines}`).toBe(right);
      expect(text.length === length && sample.includes(text) && lines.some((line) => line.includes(text))).toBe(true);
    });
  }
});

test('the verdict: copies, copies with a change, passages, new text', () => {
  const training = shuffledNames();
  const copies = novelty(training.slice(0, 100), training);
  expect([copies.verdict, copies.exact, copies.distinct]).toEqual(['mostly', 100, 100]);
  const changed = novelty(['christopherx', 'qqqqqqqqq'], [...training, 'christopher']);
  expect([changed.verdict, changed.exact, changed.near]).toEqual(['new', 0, 1]);
  expect(changed.longestRun).toEqual({ length: 11, text: 'christopher', sample: 'christopherx' });
  expect(changed.newExamples).toEqual(['qqqqqqqqq']);
  const prose = 'the quick brown fox jumps over the lazy dog and runs away from here';
  expect(novelty([`well, ${prose.slice(3, 60)}!`], [prose]).verdict).toBe('passages');
  expect(novelty([prose.split(' ').sort().join(' ')], [prose]).verdict).toBe('new');
  const inside = novelty([prose.slice(5, 40), 'nothing of it'], [prose], { whole: true });
  expect([inside.verdict, inside.exact, inside.sentences[1]]).toEqual([
    'mostly',
    1,
    'Of 2 samples, 1 (50.0%) stand in the training text word for word.',
  ]);
  expect(novelty(['aa', 'aa', 'aa', 'aa', 'ab'], training).sentences.at(-1)).toMatch(/repeats itself/);
  expect(novelty([], training).exact).toBe(0);
  // Names that differ in one letter are common: the report says how common.
  expect(copies.nearAmongTraining).toBeGreaterThan(0.1);
});

test('a percentile is the share of the known that is less surprising', () => {
  const { percentile, count } = calibration([3, 1, 2, 2]);
  expect(count).toBe(4);
  expect([0, 1, 1.5, 2, 3, 4].map(percentile)).toEqual([0, 0, 25, 25, 75, 100]);
  expect(calibration([]).percentile(1)).toBe(0);
});

test('one edit in lines of up to nine characters, two from ten on', () => {
  expect([1, 9, 10, 64].map(editsAllowed)).toEqual([1, 1, 2, 2]);
});

test('medians of even numbers lie between two; who repeats himself is told so below a half', () => {
  const of = (...samples: string[]) => novelty(samples, ['xyz']);
  expect(of('ab', 'abcd').medianLength).toBe(3);
  expect(of('ax', 'abcy').medianCopiedShare).toBe((1 / 2 + 1 / 4) / 2);
  expect(of('a', 'a', 'b', 'b').sentences.at(-1)).toBe('2 of the samples are distinct.');
  expect(of('a', 'a', 'a', 'b', 'b').sentences.at(-1)).toContain('the model repeats itself');
});

test('a copied run is as long as it has characters, not units', () => {
  const runs = createCopiedRuns(['x😀é😀y']);
  runs.add('a😀é😀b');
  expect(runs.longest()).toEqual([{ length: 3, text: '😀é😀' }]);
});
