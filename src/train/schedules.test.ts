import { expect, test } from 'vitest';
import { adamHyper } from './optimizer.js';
import { RECIPES } from './recipes.js';
import { SCHEDULES, scheduleAt } from './schedules.js';

test('schedules start at 1 and fall; bias corrections follow the powers of the betas', () => {
  const { adam } = RECIPES.canonical;
  expect(scheduleAt('linear', 0, 10)).toBe(1);
  expect(scheduleAt('linear', 9, 10)).toBeCloseTo(0.1, 15);
  expect(scheduleAt('cosine', 0, 10)).toBe(1);
  expect(scheduleAt('cosine', 5, 10)).toBeCloseTo(0.5, 15);
  expect([...adamHyper(adam, 0.01, 0)]).toEqual([0.01, 0.85, 0.99, 1e-8, 0, 1 - 0.85, 1 - 0.99]);
  expect(adamHyper(adam, 0.01, 2)[5]).toBeCloseTo(1 - 0.85 ** 3, 15);
});

test('without warm-up and floor, linear is 1 − step/steps to the bit, and constant is 1', () => {
  for (let step = 0; step < 1000; step++) {
    expect(scheduleAt('linear', step, 1000)).toBe(1 - step / 1000);
    expect(scheduleAt('constant', step, 1000)).toBe(1);
  }
});

test.each(SCHEDULES)('%s: warm-up rises in equal parts to 1, then it falls no lower than the floor', (schedule) => {
  const at = (step: number) => scheduleAt(schedule, step, 100, 10, 0.1);
  for (let step = 0; step < 10; step++) expect(at(step)).toBe((step + 1) / 10);
  expect(at(10)).toBe(1);
  for (let step = 11; step < 100; step++) {
    expect(at(step)).toBeLessThanOrEqual(at(step - 1));
    expect(at(step)).toBeGreaterThanOrEqual(0.1);
  }
  if (schedule === 'constant') expect(at(99)).toBe(1);
  else expect(at(99)).toBeLessThan(0.12);
});

test('warm-up for the whole run, or for longer, does not divide by 0', () => {
  expect(scheduleAt('cosine', 9, 10, 10)).toBe(1);
  expect(scheduleAt('linear', 4, 5, 10)).toBe(0.5);
});
