import { expect, test } from 'vitest';
import { modelConfig } from '../model/config.js';
import { RECIPES } from '../train/recipes.js';
import { differences, settingsFromJson, withOverrides } from '../train/settings.js';
import { terminalCurve } from './ascii.js';
import { roundTicks } from './chart.js';
import { compareRuns } from './compare.js';
import { curvesOf } from './curves.js';
import { reportPage } from './page.js';
import { type Metric, type RunLog, type RunRecord, readMetrics, readRecord } from './record.js';

const { name: recipe, about: _, ...settings } = RECIPES.standard;
const record: RunRecord = {
  format: 'microgpt run',
  version: 1,
  name: '<b>pets</b>',
  settings: { ...settings, recipe, seed: '42', backend: 'wasm' },
  config: modelConfig({ vocabSize: 27 }),
  parameters: 4192,
  data: { path: 'a&b.txt', bytes: 9, sha256: 'ab', documents: 3, heldOut: 1, tokens: 12, characters: 9 },
  initFrom: null,
};
const step = (n: number, loss: number): Metric => ({ type: 'step', step: n, loss, learningRate: 0.01, gradNorm: null });
const log = (losses: number[]): RunLog => ({ record, metrics: losses.map((loss, i) => step(i + 1, loss)) });

test('a report needs nothing else, and text from outside cannot become markup', () => {
  const page = reportPage({
    record,
    metrics: [...log([3, 2, 1]).metrics, { type: 'sample', step: 3, texts: ['<script>alert(1)</script>'] }],
  });
  expect(page).not.toMatch(/<script|<b>|src=|href=|url\(|@import/);
  expect(page).toContain('&#60;script&#62;');
  expect(page).toContain('3 of 2,000 steps');
  expect(page.match(/<path /g)).toHaveLength(2); // loss and learning rate; there is no gradient norm
});

test('curves average what jumps about, and keep the last step', () => {
  const losses = Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? 1 : 3));
  const { loss } = curvesOf(log(losses).metrics, 100);
  expect(loss).toHaveLength(100);
  expect(loss.every((point) => point.value === 2)).toBe(true);
  expect(loss.at(-1)?.step).toBe(1000);
});

test('ticks are round, even and enclose the values', () => {
  expect(roundTicks(1.93, 3.37)).toEqual([1.8, 2, 2.2, 2.4, 2.6, 2.8, 3, 3.2, 3.4]);
  expect(roundTicks(0, 1000)).toEqual([0, 200, 400, 600, 800, 1000]);
  for (const [from, to] of [
    [0, 0],
    [5, 5],
    [1e-5, 3e-5],
    [-2, 7],
  ]) {
    const ticks = roundTicks(from, to);
    expect(ticks[0]).toBeLessThanOrEqual(from);
    expect(ticks.at(-1)).toBeGreaterThanOrEqual(to);
    expect(ticks.length).toBeGreaterThan(1);
    expect(ticks.length).toBeLessThan(12);
  }
});

test('two runs: the first step that differs, and the settings that do', () => {
  const same = compareRuns(log([3, 2, 1]), log([3, 2]));
  expect([same.common, same.firstDifference, same.settings]).toEqual([2, null, []]);
  const other = { ...record, settings: { ...record.settings, seed: '7', adam: { ...settings.adam, beta1: 0.8 } } };
  const parted = compareRuns(log([3, 2, 1]), { record: other, metrics: log([3, 2.5, 1]).metrics });
  expect(parted.firstDifference?.step).toBe(2);
  expect(parted.settings.map(({ name, before, now }) => [name, before, now])).toEqual([
    ['adam.beta1', 0.9, 0.8],
    ['seed', '42', '7'],
  ]);
  // A look at the held-out text stands in one row: that of the steps before it.
  const looked = {
    record,
    metrics: log(Array(24).fill(2)).metrics.concat({ type: 'eval', step: 4, loss: 1, bitsPerCharacter: 1 }),
  };
  const rows = compareRuns(looked, looked).rows.filter(({ validation }) => validation[0] !== null);
  expect(rows.map(({ step: at }) => at)).toEqual([4]);
  const tuned = { record: { ...record, initFrom: '/models/a' }, metrics: log([3, 2]).metrics };
  expect(compareRuns(log([3, 2]), tuned).settings).toEqual([{ name: 'initFrom', before: null, now: '/models/a' }]);
});

test('a log whose last line was cut off is read; one that is damaged inside is not, nor what is no record', () => {
  expect(readMetrics('{"type":"step","step":1}\n{"type":"st', 'x')).toHaveLength(1);
  expect(() => readMetrics('{"type":"st\n{"type":"step","step":1}\n', 'x')).toThrow('line 1');
  for (const text of [
    '',
    '{}',
    'null',
    '{"settings":{"format":"microgpt run","version":2}}',
    '{"settings":{"format":"microgpt run","version":1}}',
  ]) {
    expect(() => readRecord(text, 'x')).toThrow(expect.objectContaining({ code: 'MG_RUN_INVALID' }));
  }
  expect(readRecord(JSON.stringify({ settings: record, finished: null }), 'x')).toEqual(record);
  const often = (saveEvery: unknown) =>
    readRecord(JSON.stringify({ settings: { ...record, saveEvery } }), 'x').saveEvery;
  expect(often(7)).toBe(7);
  for (const wrong of [0, 1.5, '7', null]) expect(() => often(wrong)).toThrow('saveEvery');
});

test('settings survive JSON; what is missing, unknown or of another type is refused by name', () => {
  const given = JSON.parse(JSON.stringify(record.settings));
  expect(settingsFromJson(record.settings, given, 'x')).toEqual(record.settings);
  const wrong = (change: (s: Record<string, Record<string, unknown>>) => void) => {
    const copy = JSON.parse(JSON.stringify(record.settings));
    change(copy);
    return () => settingsFromJson(record.settings, copy, 'x');
  };
  expect(wrong((s) => delete s['adam']['beta1'])).toThrow('adam.beta1 is missing');
  expect(wrong((s) => Object.assign(s['adam'], { beta3: 1 }))).toThrow('"adam.beta3"');
  expect(wrong((s) => Object.assign(s, { steps: '5' }))).toThrow('steps is a string');
  expect(
    settingsFromJson(record.settings, { ...given, data: { ...given.data, column: 'name' } }, 'x').data.column,
  ).toBe('name');
  const header = (value: unknown) =>
    settingsFromJson(record.settings, { ...given, data: { ...given.data, header: value } }, 'x');
  expect(header('no').data.header).toBe('no');
  expect(() => header('maybe')).toThrow('"data.header"');
});

test('overrides reach any depth, and what is undefined does not count', () => {
  const changed = withOverrides(settings, { adam: { learningRate: 1, beta1: undefined }, steps: undefined });
  expect(differences(settings, changed)).toEqual([{ name: 'adam.learningRate', before: 0.005, now: 1 }]);
});

test('a curve in the terminal has the size it was asked for and no gaps', () => {
  const points = [4, 3, 2.5, 2.2, 2].map((value, i) => ({ step: i * 10 + 1, value }));
  const lines = terminalCurve(points, 30, 6);
  expect(lines).toHaveLength(6);
  expect(lines[0]).toContain('4.00');
  expect(lines[5]).toContain('2.00');
  for (let column = 0; column < 30; column++) {
    expect(lines.some((line) => line.charCodeAt(8 + column) !== 0x2800)).toBe(true);
  }
  expect(terminalCurve(points.slice(0, 1), 30, 6)).toEqual([]);
});
