/**
 * Stop strings by themselves; over texts that models write: src/engine/generate.test.ts.
 */
import { expect, test } from 'vitest';
import { createStopStrings } from './stop-strings.js';

test('what may begin a stop string is held back, given out when it does not, and never after the stop', () => {
  const watch = createStopStrings(['END', '']);
  expect(watch.push('a E')).toBe('a ');
  expect(watch.push('E')).toBe('E');
  expect(watch.push('ND rest')).toBe('');
  expect(watch.stopped()).toBe(true);
  expect([watch.push('more'), watch.end()]).toEqual(['', '']);
  const open = createStopStrings(['END']);
  expect([open.push('EN'), open.end(), open.stopped()]).toEqual(['', 'EN', false]);
});
