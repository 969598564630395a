// The corpora that come with microgpt: as many and as varied as is promised, so that what is learned from them is not one phrase.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './cli.js';

const text = (name: string) => readFileSync(join(ROOT, 'datasets', name), 'utf8');

/** The run of five words that comes most often in these texts, and how often. */
function commonestRun(texts: readonly string[]): readonly [string, number] {
  const counts = new Map<string, number>();
  for (const one of texts) {
    const words = one.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
    for (let i = 0; i + 5 <= words.length; i++) {
      const run = words.slice(i, i + 5).join(' ');
      counts.set(run, (counts.get(run) ?? 0) + 1);
    }
  }
  return [...counts].reduce((most, one) => (one[1] > most[1] ? one : most), ['', 0] as const);
}

test('the count of runs sees a phrase that comes too often, across line ends too', () => {
  expect(commonestRun(['Once upon a time there', 'was; once upon\na time there was.'])).toEqual([
    'once upon a time there',
    2,
  ]);
  expect(commonestRun(['one two three four'])).toEqual(['', 0]);
});

test('the bundled conversations: at least 300, distinct, user and assistant in turn, no run of five words more than ten times', () => {
  const lines = text('chat.jsonl').trimEnd().split('\n');
  expect(new Set(lines).size).toBe(lines.length);
  expect(lines.length).toBeGreaterThanOrEqual(300);
  const talks: { role: string; content: string }[][] = lines.map((line) => JSON.parse(line));
  for (const talk of talks) {
    expect(talk.map((turn) => turn.role)).toEqual(talk.map((_, i) => (i % 2 === 0 ? 'user' : 'assistant')));
    expect(talk.length % 2).toBe(0);
    for (const { content } of talk) expect(content).toMatch(/^[a-z][a-z !',.?-]*$/);
  }
  expect(commonestRun(talks.flat().map((turn) => turn.content))[1]).toBeLessThanOrEqual(10);
});

test('the bundled stories: at least 60 KB of prose, no paragraph twice, no run of five words more than ten times', () => {
  const stories = text('stories.txt');
  expect(Buffer.byteLength(stories)).toBeGreaterThanOrEqual(60_000);
  const paragraphs = stories.split('\n').filter((line) => line !== '');
  expect(new Set(paragraphs).size).toBe(paragraphs.length);
  expect(commonestRun([stories])[1]).toBeLessThanOrEqual(10);
});
