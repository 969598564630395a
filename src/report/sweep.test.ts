/**
 * Ranks of trials, and the page about them.
 */
import { expect, test } from 'vitest';
import { type Outcome, rank, sweepLines, sweepPage } from './sweep.js';

const trial = (number: number, loss: number | null, seconds: number, parameters: number | null): Outcome => ({
  number,
  folder: `runs/${number}`,
  values: { lr: number / 1000 },
  loss,
  heldOut: true,
  seconds,
  parameters,
  failed: loss === null ? 'error MG_X: <b>' : null,
});
const trials = [
  trial(1, 2.5, 10, 100),
  trial(2, null, 1, null),
  trial(3, 2.1, 30, 900),
  trial(4, 2.5, 12, 80),
  trial(5, 2.2, 30, 100),
];

test('the lowest loss first, failures last; best for its time or size is what nothing cheaper beats', () => {
  const ranked = rank(trials);
  expect(ranked.map((one) => [one.number, one.bestForTime, one.bestForSize])).toEqual([
    [3, true, true],
    [5, false, true],
    [1, true, false],
    [4, false, true],
    [2, false, false],
  ]);
});

test('table and page name every trial, with its reason where it failed', () => {
  const ranked = rank(trials);
  const lines = sweepLines(ranked);
  expect(lines).toHaveLength(6);
  expect(lines[0]).toMatch(/^ +lr +validation loss +seconds +parameters +best for its +folder$/);
  expect(lines[5]).toMatch(/runs\/2: error MG_X: <b>$/);
  const page = sweepPage('<mine>', ranked);
  expect(page).toContain('<h1>&#60;mine&#62;</h1>');
  expect(page).toContain('error MG_X: &#60;b&#62;');
  expect(page.match(/<circle/g)).toHaveLength(8);
  expect(page.match(/<tr>/g)).toHaveLength(6);
  expect(page).not.toMatch(/NaN|undefined|<script/);
  expect(sweepPage('none', rank([]))).toContain('0 of 0 trials');
});
