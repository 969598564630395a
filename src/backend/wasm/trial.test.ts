import { expect, test } from 'vitest';
import { createTrial } from './trial.js';

/** So many ms of work of size 1 or 2 in turn, which takes `shared` or `alone` ms a unit; gives the ms that went each way. */
function spend(trial: ReturnType<typeof createTrial>, ms: number, cost: { shared: number; alone: number }) {
  const spent = { shared: 0, alone: 0 };
  for (let i = 0; spent.shared + spent.alone < ms; i++) {
    const way = trial.shared() ? 'shared' : 'alone';
    const took = (1 + (i % 2)) * cost[way];
    spent[way] += took;
    trial.ran(1 + (i % 2), took);
  }
  return spent;
}

const part = (x: number, { shared, alone }: { shared: number; alone: number }) => x / (shared + alone);

test.each([
  ['small runs', 0.1],
  ['runs longer than a trial', 40],
])('%s: the faster way is kept, and the other gets a hundredth of the time in the long run', (_, ms) => {
  for (const [cost, slower] of [
    [{ shared: ms, alone: 2 * ms }, 'alone'],
    [{ shared: 2 * ms, alone: ms }, 'shared'],
    [{ shared: 100 * ms, alone: ms }, 'shared'],
  ] as const) {
    const trial = createTrial();
    const first = spend(trial, 40 * Math.max(10, cost[slower]), cost);
    expect(part(first[slower], first)).toBeLessThan(0.35);
    spend(trial, 1000 * Math.max(10, cost[slower]), cost);
    const later = spend(trial, 1000 * Math.max(10, cost[slower]), cost);
    expect(part(later[slower], later)).toBeLessThan(0.012);
    expect(later[slower]).toBeGreaterThan(0);
  }
});

test('sharing that saves next to nothing is not worth all cores', () => {
  const trial = createTrial();
  const spent = spend(trial, 20_000, { shared: 0.97, alone: 1 });
  expect(part(spent.shared, spent)).toBeLessThan(0.03);
});

test('when cores are taken, and when they are free again, the other way is found', () => {
  const trial = createTrial();
  const [idle, busy] = [
    { shared: 0.5, alone: 1 },
    { shared: 3, alone: 1 },
  ];
  for (let i = 0; i < 3; i++) {
    spend(trial, 10_000, idle);
    const taken = spend(trial, 10_000, busy);
    expect(part(taken.alone, taken)).toBeGreaterThan(0.75);
    const free = spend(trial, 10_000, idle);
    expect(part(free.shared, free)).toBeGreaterThan(0.75);
  }
});

test('one run that stalls does not decide for long', () => {
  const trial = createTrial();
  const cost = { shared: 0.5, alone: 1 };
  spend(trial, 5000, cost);
  trial.ran(1, 500);
  const after = spend(trial, 2000, cost);
  expect(part(after.shared, after)).toBeGreaterThan(0.9);
});
