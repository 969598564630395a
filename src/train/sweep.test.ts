/**
 * Descriptions of sweeps: which trials they mean, and which descriptions are refused.
 */
import { expect, test } from 'vitest';
import { parseJson } from '../base/json.js';
import { readSweep } from './sweep.js';

const read = (value: unknown) =>
  readSweep(parseJson(JSON.stringify(value), 'sweep.json', 'MG_SWEEP_INVALID'), 'sweep.json');

test('a grid: every value with every other, the last varying fastest', () => {
  const { trials, processes } = read({
    scenario: 'names',
    fixed: { steps: 500, chat: true, quiet: false },
    vary: { lr: [0.001, 0.003], activation: ['relu', 'gelu'] },
    processes: 3,
  }) satisfies { processes: number | null };
  expect(processes).toBe(3);
  expect(trials.map((trial) => trial.values)).toEqual([
    { lr: 0.001, activation: 'relu' },
    { lr: 0.001, activation: 'gelu' },
    { lr: 0.003, activation: 'relu' },
    { lr: 0.003, activation: 'gelu' },
  ]);
  expect(trials[0]?.args).toEqual(['names', '--steps', '500', '--chat', '--lr', '0.001', '--activation', 'relu']);
  expect(new Set(trials.map((trial) => trial.id)).size).toBe(4);
});

test('a random search: within its ranges, the same every time, and longer ones begin with shorter ones', () => {
  const sweep = (trials: number, seed = 5) =>
    read({
      vary: {
        lr: { from: 0.0001, to: 0.1, scale: 'log' },
        'n-layer': { from: 1, to: 4, whole: true },
        clip: [0, 1],
        dropout: { from: 0, to: 0.5 },
      },
      random: { trials, seed },
    }).trials;
  const all = sweep(300);
  expect(all.slice(0, 20)).toEqual(sweep(20));
  expect(sweep(20, 6)[0]?.values).not.toEqual(all[0]?.values);
  const column = (name: string) => all.map((trial) => trial.values[name] as number);
  expect(Math.min(...column('lr'))).toBeGreaterThanOrEqual(0.0001);
  expect(Math.max(...column('lr'))).toBeLessThanOrEqual(0.1);
  // Log scale: about a third of the values in each decade.
  for (const decade of [1e-4, 1e-3, 1e-2]) {
    const within = column('lr').filter((lr) => lr >= decade && lr < 10 * decade).length;
    expect(within).toBeGreaterThan(70);
    expect(within).toBeLessThan(130);
  }
  expect([...new Set(column('n-layer'))].sort()).toEqual([1, 2, 3, 4]);
  expect([...new Set(column('clip'))].sort()).toEqual([0, 1]);
  expect(Math.max(...column('dropout'))).toBeLessThanOrEqual(0.5);
});

test('equal trials are one, and a trial keeps its name when others come', () => {
  const one = read({ vary: { lr: [0.1, 0.1, 0.2] } }).trials;
  expect(one).toHaveLength(2);
  expect(read({ vary: { lr: [0.5, 0.2, 0.1] } }).trials.map((trial) => trial.id)).toEqual(
    expect.arrayContaining(one.map((trial) => trial.id)),
  );
});

test.each('run resume output overwrite json samples eta no-eta timing stop-after time'.split(' '))(
  '--%s is the sweep’s own business, varied or fixed',
  (name) => {
    expect(() => read({ vary: { [name]: [1] } })).toThrow(`"${name}" cannot be chosen`);
    expect(() => read({ vary: { lr: [1] }, fixed: { [name]: 1 } })).toThrow(`"${name}" cannot be chosen`);
  },
);

test.each([
  [{}, '"vary" is missing'],
  [[], 'what it holds is no object'],
  [{ vary: {} }, '"vary" has no setting'],
  [{ vary: { lr: [] } }, '"lr" has no list of values'],
  [{ vary: { lr: 1 } }, '"lr" has no list of values'],
  [{ vary: { lr: [null] } }, '"lr" is null'],
  [{ vary: { lr: [[1]] } }, '"lr" is 1'],
  [{ vary: { '--lr': [1] } }, '"--lr" is no flag'],
  [{ vary: { run: ['x'] } }, '"run" cannot be chosen'],
  [{ vary: { lr: [1] }, fixed: { lr: 2 } }, '"lr" is both fixed and varied'],
  [{ vary: { lr: [1] }, fixed: { samples: 2 } }, '"samples" cannot be chosen'],
  [{ vary: { lr: { from: 1, to: 2 } } }, '"lr" is a range'],
  [{ vary: { lr: { from: 2, to: 2 } }, random: { trials: 1 } }, 'no from below its to'],
  [{ vary: { lr: { from: 0, to: 2, scale: 'log' } }, random: { trials: 1 } }, 'from 0 on a log scale'],
  [{ vary: { lr: { from: 0, to: 2, step: 1 } }, random: { trials: 1 } }, '"lr" has "step"'],
  [{ vary: { lr: [1] }, random: { trials: 0 } }, 'trials is 0'],
  [{ vary: { lr: [1] }, processes: 0 }, 'processes is 0'],
  [{ vary: { lr: [1] }, scenario: '--data' }, '"scenario" is no name'],
  [{ vary: { lr: [1] }, trials: 3 }, '"trials" is not known'],
  [
    { vary: Object.fromEntries('abcde'.split('').map((name) => [name, [...Array(10).keys()]])) },
    '100000 trials, at most 10000',
  ],
])('%j is refused', (description, message) => {
  expect(() => read(description)).toThrow(message);
});
