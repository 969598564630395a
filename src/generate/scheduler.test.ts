import { describe, expect, test } from 'vitest';
import { createChoose, type Sequence } from './filters.js';
import { counterDraw } from './sampler.js';
import { createScheduler, type End, type Generation, type Reader } from './scheduler.js';
import { slide, windowFor, windowOf } from './sliding.js';

const V = 8;
const BOS = 7;

/** A model whose logits depend on everything that was read of a sequence, and that notes how much it reads. */
function reader(sequences: number, blockSize: number) {
  const read: number[][] = Array.from({ length: sequences }, () => []);
  const turns: number[] = [];
  const fake: Reader & { turns: number[]; places: number[][] } = {
    sequences,
    turns,
    places: read,
    position: (place) => read[place].length,
    restart(place, keep = 0) {
      read[place].length = Math.min(keep, read[place].length);
    },
    read(tokens, of) {
      turns.push(tokens.length);
      const out = new Float64Array(tokens.length * V);
      for (let r = 0; r < tokens.length; r++) {
        read[of[r]].push(tokens[r]);
        if (read[of[r]].length > blockSize) throw new Error('read beyond the context');
        let hash = 17;
        for (const token of read[of[r]]) hash = (hash * 31 + token + 1) % 1_000_003;
        for (let v = 0; v < V; v++) out[r * V + v] = ((hash * (v + 3)) % 97) / 40;
      }
      return out;
    },
  };
  return fake;
}

const ends = Uint8Array.from({ length: V }, (_, v) => (v === BOS ? 1 : 0));
const choose = createChoose({ temperature: 1 }, V, counterDraw(5), [BOS]);

function generation(sample: number, more: Partial<Generation>, done: (end: End) => void): Generation {
  return { start: [BOS], sample, choose, ends, maxTokens: 40, onEnd: done, ...more };
}

/** Runs generations on so many places, added a few turns apart. */
function run(places: number, all: ((done: (end: End) => void) => Generation)[], apart = 0, blockSize = 16) {
  const model = reader(places, blockSize);
  const scheduler = createScheduler(model, blockSize, V);
  const results: End[] = [];
  let added = 0;
  const add = () => {
    const i = added++;
    scheduler.add(
      all[i]((end) => {
        results[i] = end;
      }),
    );
  };
  if (apart === 0) while (added < all.length) add();
  for (let turn = 0; ; turn++) {
    if (apart > 0 && turn % apart === 0 && added < all.length) add();
    const more = scheduler.turn();
    if (!more && added === all.length) break;
  }
  return { results, model };
}

const prompts = [[BOS], [BOS, 1, 2, 3], [BOS, 1, 2, 3], [BOS, 4], [BOS, 1, 2, 5, 6, 1, 2, 3, 4, 5], [BOS, 1, 2, 3, 0]];
const many = Array.from(
  { length: 60 },
  (_, i) => (done: (end: End) => void) => generation(i, { start: prompts[i % prompts.length] }, done),
);

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

describe('fairness, counted in turns', () => {
  /** Runs generations side by side; what each has drawn after every turn. */
  function drawnByTurn(starts: readonly (readonly number[])[], places: number): number[][] {
    const scheduler = createScheduler(reader(places, 4000), 4000, V);
    const drawn = starts.map(() => 0);
    starts.forEach((start, i) => {
      const onToken = () => ++drawn[i] > 0;
      scheduler.add(generation(i, { start, ends: new Uint8Array(V), maxTokens: 30, onToken }, () => {}));
    });
    const after: number[][] = [];
    for (let more = true; more; ) {
      more = scheduler.turn();
      after.push([...drawn]);
    }
    return after;
  }

  test('those who begin together are never more than a token apart', () => {
    const after = drawnByTurn(
      Array.from({ length: 32 }, (_, i) => [BOS, i % 7, 3]),
      32,
    );
    expect(Math.max(...after.map((drawn) => Math.max(...drawn) - Math.min(...drawn)))).toBeLessThanOrEqual(1);
    expect(after.at(-1)).toEqual(new Array(32).fill(30));
  });

  test('whoever has begun draws one in each turn, whatever the others read', () => {
    const starts = [[BOS], Array.from({ length: 2000 }, (_, i) => i % 7), [BOS, 1]];
    const after = drawnByTurn(starts, 3);
    for (let i = 0; i < starts.length; i++) {
      const mine = after.map((drawn) => drawn[i]);
      const from = mine.indexOf(1);
      expect(mine.slice(from, from + 30)).toEqual(Array.from({ length: 30 }, (_, turn) => turn + 1));
    }
  });

  test('prompts share a turn: a short one need not wait for the end of a long one', () => {
    const long = (k: number) => Array.from({ length: 3000 }, (_, i) => (i * k) % 7);
    const after = drawnByTurn([long(1), long(2), [BOS, 1, 2, 3], [BOS, 4]], 4);
    const first = (i: number) => after.findIndex((drawn) => drawn[i] > 0);
    expect([first(2), first(3)]).toEqual([0, 0]);
    // The long ones share the rest: 6,000 tokens, 64 or a few less a turn.
    expect(Math.abs(first(0) - first(1))).toBeLessThanOrEqual(2);
    expect(Math.max(first(0), first(1))).toBeLessThan(110);
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

describe('a place that nobody takes tokens from', () => {
  const never = { ends: new Uint8Array(V), maxTokens: 60, window: windowFor(16, true) };

  /** The first `stuck` are ready until they have drawn five tokens, and again once they are released. */
  function withStuck(places: number, stuck: number, count: number) {
    const model = reader(places, 16);
    const scheduler = createScheduler(model, 16, V);
    const results: End[] = [];
    const drawn = new Array<number>(count).fill(0);
    const state = { released: false };
    for (let i = 0; i < count; i++) {
      const more = {
        ...never,
        start: prompts[i % prompts.length],
        onToken: () => ++drawn[i] > 0,
        ready: () => i >= stuck || drawn[i] < 5 || state.released,
      };
      scheduler.add(
        generation(i, more, (end) => {
          results[i] = end;
        }),
      );
    }
    return { scheduler, model, results, drawn, state };
  }
  const alone = Array.from(
    { length: 6 },
    (_, i) => run(1, [(done) => generation(i, { ...never, start: prompts[i % prompts.length] }, done)]).results[0],
  );

  test('goes at once to those who wait when nobody else can use it; whoever lost it goes on as if nothing had been', () => {
    const { scheduler, results, state } = withStuck(3, 3, 6);
    let turns = 0;
    while (scheduler.turn()) turns++;
    // Three draw five tokens, then three draw sixty.
    expect(turns).toBeLessThan(5 + 60 + 10);
    expect([results.filter(Boolean).length, scheduler.running(), scheduler.waiting()]).toEqual([3, 0, 3]);
    state.released = true;
    while (scheduler.turn());
    expect(results).toEqual(alone);
  });

  test('goes to one who waits after a while when others use theirs, not before; and to nobody when nobody waits', () => {
    const { scheduler, drawn, results, state } = withStuck(2, 1, 3);
    for (let turn = 0; turn < 60; turn++) scheduler.turn();
    expect([drawn[0], drawn[2]]).toEqual([5, 0]); // the second is not at its end
    while (scheduler.turn());
    expect([results[0], results[1], results[2]]).toEqual([undefined, alone[1], alone[2]]);
    state.released = true;
    while (scheduler.turn());
    expect(results).toEqual(alone.slice(0, 3));

    const single = withStuck(2, 1, 2);
    while (single.scheduler.turn());
    expect([single.scheduler.running(), single.scheduler.waiting()]).toEqual([1, 0]);
  });

  test('who comes back is the first of those who wait', () => {
    const { scheduler, state, drawn } = withStuck(1, 1, 3);
    while (drawn[1] < 3) scheduler.turn();
    expect(drawn[0]).toBe(5);
    state.released = true;
    while (drawn[1] < 60) scheduler.turn();
    scheduler.turn();
    expect([drawn[0], drawn[2]]).toEqual([6, 0]);
  });

  test('who is cancelled without a place ends at the next turn', () => {
    const scheduler = createScheduler(reader(1, 16), 16, V);
    const reasons: string[] = [];
    const handles = [0, 1].map((i) =>
      scheduler.add(generation(i, { ...never, ready: () => false }, ({ reason }) => reasons.push(`${i} ${reason}`))),
    );
    expect(scheduler.turn()).toBe(false);
    handles[1].cancel();
    scheduler.turn();
    expect([reasons, scheduler.waiting()]).toEqual([['1 cancelled'], 1]);
  });

  test('whenever anybody is ready or not, each draws what he draws alone', () => {
    const seed = Number(process.env['MG_TEST_SEED'] ?? 7);
    for (const window of [undefined, windowFor(16, true), windowFor(16, true, 2)]) {
      const all = Array.from({ length: 30 }, (_, i) => ({
        ...(window === undefined ? {} : { window, maxTokens: 20 + i }),
        start: [BOS, ...Array.from({ length: (i * 5) % 14 }, (_, n) => (n * i) % 7)],
      }));
      const expected = all.map((more, i) => run(1, [(done) => generation(i, more, done)]).results[0]);
      for (const places of [1, 2, 5]) {
        const scheduler = createScheduler(reader(places, 16), 16, V);
        const results: End[] = [];
        let [turn, quiet] = [0, 0];
        // Stretches of 1 to 128 turns in which one is ready or not.
        const ready = (i: number) => () => ((turn >> (i % 8)) * 40_503 + i * 7919 + seed) % 17 < 6;
        all.forEach((more, i) => {
          scheduler.add({
            ...generation(i, more, (end) => {
              results[i] = end;
            }),
            ready: ready(i),
          });
        });
        for (; results.filter(Boolean).length < all.length && quiet < 5000; turn++)
          quiet = scheduler.turn() ? 0 : quiet + 1;
        expect(results, `seed ${seed}, ${places} places`).toEqual(expected);
      }
    }
  });
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
