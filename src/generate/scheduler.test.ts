// The scheduler: what is drawn depends on nobody else, prompts come in pieces, sequences end and fail alone.
import { describe, expect, test } from 'vitest';
import { BOS, choose, ends, generation, many, prompts, reader, run, V } from '../../test/counted-reader.js';
import type { Sequence } from './filters.js';
import { createScheduler, type End } from './scheduler.js';
import { slide, windowFor, windowOf } from './sliding.js';

test('what a generation draws is the same alone, in a crowd, with few places or many, and whenever it comes', () => {
  const alone = many.map((make) => run(1, [make]).results[0]);
  expect(new Set(alone.map((end) => end.tokens.join())).size).toBeGreaterThan(40);
  for (const [places, apart] of [
    [1, 0],
    [7, 0],
    [60, 0],
    [4, 1],
    [4, 3],
    [13, 2],
  ]) {
    expect(run(places, many, apart).results).toEqual(alone);
  }
});

test('a long prompt is read in pieces, and those who are under way draw a token in each turn meanwhile', () => {
  const model = reader(3, 4000);
  const scheduler = createScheduler(model, 4000, V);
  let drawn = 0;
  const never = { ends: new Uint8Array(V), maxTokens: 3000 };
  scheduler.add(generation(0, { ...never, onToken: () => ++drawn > 0 }, () => {}));
  scheduler.turn();
  const long = Array.from({ length: 1000 }, (_, i) => i % V);
  let begun = false;
  scheduler.add(
    generation(
      1,
      {
        ...never,
        start: long,
        onToken: () => {
          begun = true;
          return true;
        },
      },
      () => {},
    ),
  );
  scheduler.add(generation(2, { ...never, start: long.slice(0, 500) }, () => {}));
  const before = drawn;
  let turns = 0;
  for (; !begun; turns++) scheduler.turn();
  expect(drawn - before).toBe(turns);
  // The other prompt is read beside it.
  expect(turns).toBeGreaterThanOrEqual(Math.ceil(1500 / 63));
  expect(turns).toBeLessThanOrEqual(Math.ceil(1500 / 63) + 1);
  expect(Math.max(...model.turns)).toBe(64);
});

test('what a place has read already is not read again', () => {
  const model = reader(1, 64);
  const scheduler = createScheduler(model, 64, V);
  const start = [BOS, ...Array.from({ length: 40 }, (_, i) => i % 7)];
  const results: number[][] = [];
  for (let again = 0; again < 3; again++) {
    scheduler.add(
      generation(9, { start, maxTokens: 3, ends: new Uint8Array(V) }, ({ tokens }) => results.push(tokens)),
    );
    while (scheduler.turn());
  }
  expect(model.turns).toEqual([41, 1, 1, 1, 1, 1, 1, 1, 1]);
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
  // A conversation that goes on: prompt, reply, and more.
  const longer = [...start, ...results[0], 3, 4];
  scheduler.add(generation(9, { start: longer, maxTokens: 1 }, () => {}));
  while (scheduler.turn());
  expect(model.turns.at(-1)).toBe(longer.length - start.length - 2); // the last token drawn was never read
});

describe('cancelling', () => {
  test.each([
    ['waiting', 2, 0],
    ['in the middle of its prompt', 1, 3],
    ['in the middle of its text', 1, 25],
  ])('while it is %s: nothing more is read for it, and the others do not notice', (_, places, turns) => {
    const long = Array.from({ length: 600 }, (_, i) => i % 7);
    const other = (done: (end: End) => void) => generation(1, { start: [BOS, 3], maxTokens: 100 }, done);
    const alone = run(1, [other], 0, 4000).results[0];
    const model = reader(places, 4000);
    const scheduler = createScheduler(model, 4000, V);
    const log: string[] = [];
    let drawn = 0;
    const handle = scheduler.add(
      generation(0, { start: long, maxTokens: 3000, ends: new Uint8Array(V), onToken: () => ++drawn > 0 }, (end) =>
        log.push(end.reason),
      ),
    );
    let result: End | null = null;
    scheduler.add(
      other((end) => {
        result = end;
      }),
    );
    for (let t = 0; t < turns; t++) scheduler.turn();
    const before = drawn;
    handle.cancel();
    handle.cancel();
    while (scheduler.turn());
    expect(log).toEqual(['cancelled']);
    expect(drawn).toBe(before);
    expect(result).toEqual(alone);
    expect([scheduler.running(), scheduler.waiting()]).toEqual([0, 0]);
  });
});

test('who is not ready waits, and draws the same afterwards; the others go on', () => {
  const all = Array.from(
    { length: 4 },
    (_, i) => (done: (end: End) => void) => generation(i, { start: prompts[i] }, done),
  );
  const alone = run(2, all);
  const results: End[] = [];
  const scheduler = createScheduler(reader(2, 16), 16, V);
  let [turn, asked] = [0, 0];
  all.forEach((make, i) => {
    const made = make((end) => {
      results[i] = end;
    });
    // The first is never ready before turn 120, the second every third turn; those after it have to wait for its place.
    const ready = i === 0 ? () => turn > 120 : i === 1 ? () => asked++ % 3 === 0 : undefined;
    scheduler.add({ ...made, ready });
  });
  for (; turn < 120; turn++) scheduler.turn();
  // He takes no place before he is.
  expect([scheduler.running(), scheduler.waiting(), results.map((end) => end?.reason ?? null)[0] ?? null]).toEqual([
    0,
    1,
    null,
  ]);
  expect(scheduler.turn()).toBe(false); // nothing that is ready
  turn++;
  while (scheduler.turn());
  expect(results.map(({ tokens }) => tokens)).toEqual(alone.results.map(({ tokens }) => tokens));
});

test('a generation that fails does so alone', () => {
  const broken = (done: (end: End) => void) =>
    generation(
      0,
      {
        choose: () => {
          throw new Error('broken');
        },
      },
      done,
    );
  const { results } = run(2, [many[1], broken, many[2]]);
  expect(results[1]).toMatchObject({ reason: 'failed', error: new Error('broken') });
  expect(results[0]).toEqual(run(1, [many[1]]).results[0]);
  expect(results[2]).toEqual(run(1, [many[2]]).results[0]);
});

test('why sequences end', () => {
  const never = new Uint8Array(V);
  const reasons = run(1, [
    (done) => generation(0, { ends: ends.map(() => 1) }, done),
    (done) => generation(1, { ends: never, maxTokens: 4 }, done),
    (done) => generation(2, { ends: never }, done),
    (done) => generation(3, { ends: never, onToken: () => false }, done),
    (done) => generation(4, { maxTokens: 0 }, done),
    (done) => generation(5, { ends: never, start: Array.from({ length: 30 }, () => 1) }, done),
  ]).results;
  expect(reasons.map(({ reason, tokens }) => [reason, tokens.length])).toEqual([
    ['token', 0],
    ['length', 4],
    ['context', 16],
    ['stopped', 1],
    ['length', 0],
    ['context', 1],
  ]);
});

describe('text longer than the context', () => {
  test.each([
    [16, true],
    [16, false],
    [5, true],
    [2, true],
    [2, false],
    [1, true],
    [1, false],
  ])('context %i, BOS %s: what is read is the same whether the text is a prompt or was drawn', (blockSize, hasBos) => {
    for (const keep of [undefined, 0, 1, 3, blockSize - 1, 99]) {
      const window = windowFor(blockSize, hasBos, keep);
      const tokens = [...(hasBos ? [BOS] : []), ...Array.from({ length: 50 }, (_, i) => i % 7)];
      let read: number[] = [];
      for (let n = 1; n <= tokens.length; n++) {
        if (read.length === blockSize) read = slide(tokens.slice(0, n), window);
        else read.push(tokens[n - 1]);
        expect(windowOf(tokens.slice(0, n), window, blockSize)).toEqual(read);
        expect(read.length).toBeLessThanOrEqual(blockSize);
        if (window.lead === 1) expect(read[0]).toBe(BOS);
      }
    }
  });

  test('drawing goes on beyond it, and goes on the same from a prompt that was drawn before', () => {
    const window = windowFor(16, true);
    const never = { ends: new Uint8Array(V), window };
    const [whole] = run(3, [(done) => generation(3, { ...never, maxTokens: 100 }, done)]).results;
    expect(whole.tokens).toHaveLength(100);
    for (const cut of [5, 15, 16, 17, 40, 99]) {
      const start = [BOS, ...whole.tokens.slice(0, cut)];
      const [rest] = run(2, [(done) => generation(3, { ...never, start, maxTokens: 100 - cut }, done)]).results;
      expect(rest.tokens).toEqual(whole.tokens.slice(cut));
    }
  });
});

test('masks are asked for before each draw and seen by the one who chooses', () => {
  const seen: (number | null)[] = [];
  const only = (v: number) => Uint8Array.from({ length: V }, (_, i) => (i === v ? 1 : 0));
  let step = 0;
  const spy = (logits: ArrayLike<number>, from: number, sequence: Sequence) => {
    seen.push(sequence.mask === null ? null : sequence.mask.indexOf(1));
    return choose(logits, from, sequence);
  };
  const { results } = run(1, [(done) => generation(0, { choose: spy, mask: () => only(step++), maxTokens: 4 }, done)]);
  expect(seen).toEqual([0, 1, 2, 3]);
  expect(results[0].tokens).toEqual([0, 1, 2, 3]);
});
