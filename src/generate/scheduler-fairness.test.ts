// Who draws when: fairness among those who have places, and what happens to a place that nobody takes tokens from.
import { describe, expect, test } from 'vitest';
import { BOS, generation, prompts, reader, run, V } from '../../test/counted-reader.js';
import { createScheduler, type End } from './scheduler.js';
import { windowFor } from './sliding.js';

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
