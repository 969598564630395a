import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createCounterRandom, threefry } from './counter-random.js';
import { createPythonRandom } from './python-random.js';

const golden = (file: string) =>
  JSON.parse(readFileSync(new URL(`../../test/golden/canonical/${file}`, import.meta.url), 'utf8'));
const times = <T>(n: number, make: () => T) => Array.from({ length: n }, make);

describe.each(['0', '1', '42', '123456789', '1099511627783'])('Python’s random numbers, seed %s', (seed) => {
  const expected = golden('python_rng.json')[seed];
  const fresh = () => createPythonRandom(BigInt(seed));

  test('random()', () => {
    const r = fresh();
    expect(times(10, r.random)).toEqual(expected.random_10);
  });
  test('getrandbits(32)', () => {
    const r = fresh();
    expect(times(10, () => r.getrandbits(32))).toEqual(expected.getrandbits32_10);
  });
  test('gauss(), to the bit', () => {
    const r = fresh();
    expect(times(10, () => r.gauss(0, 0.08))).toEqual(expected['gauss_0_0.08_10']);
    const s = fresh();
    expect([...times(5, () => s.gauss(0, 1)), s.random()]).toEqual(expected.gauss_0_1_5_then_random);
  });
  test('integers below 1000', () => {
    const r = fresh();
    expect(times(10, () => r.randbelow(1000))).toEqual(expected.randbelow_10_from_1000);
  });
  test('shuffle()', () => {
    const items = times(20, (i = 0) => i).map((_, i) => i);
    fresh().shuffle(items);
    expect(items).toEqual(expected.shuffle_range20);
  });
  test('choices()', () => {
    const r = fresh();
    expect(times(20, () => r.choice([1, 2, 3, 4]))).toEqual(expected.choices_weights_1_2_3_4_20);
  });
});

test('the 4,192 initial weights of the canonical run are Python’s, all but 50 to the bit', () => {
  // random.seed(42), then the shuffle of 32,033 documents, then one gauss() per weight.
  const r = createPythonRandom(42);
  r.shuffle(new Array(32_033).fill(0));
  const weights = Object.values(golden('init_model.json').weights as Record<string, number[][]>).flat(2);
  const ours = weights.map(() => r.gauss(0, 0.08));
  expect(weights).toHaveLength(4192);
  expect(Math.max(...ours.map((x, i) => Math.abs(x - weights[i])))).toBeLessThan(1e-16);
  expect(ours.filter((x, i) => x !== weights[i]).length).toBeLessThanOrEqual(50);
});

test('getrandbits beyond 32 bits takes the low word first', () => {
  const words = createPythonRandom(42);
  const [low, high] = [words.getrandbits(32), words.getrandbits(32)];
  expect(createPythonRandom(42).getrandbits(40)).toBe((high >>> 24) * 2 ** 32 + low);
});

test('Threefry gives the published known answers', () => {
  const hex = ([a, b]: [number, number]) => `${a.toString(16)} ${b.toString(16)}`;
  expect(hex(threefry(0, 0, 0, 0))).toBe('6b200159 99ba4efe');
  expect(hex(threefry(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff))).toBe('1cb996fc bb002be7');
  expect(hex(threefry(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3))).toBe('c4923a9c 483df7a0');
});

test('the counter-based generator is uniform and keeps seeds, streams, samples and positions apart', () => {
  const r = createCounterRandom(1, 0);
  const draws = times(10_000, () => 0).map((_, i) => r.uniform(i % 100, Math.floor(i / 100)));
  expect(new Set(draws).size).toBe(10_000);
  expect(Math.abs(draws.reduce((a, b) => a + b) / 10_000 - 0.5)).toBeLessThan(0.01);
  const others = [createCounterRandom(2, 0), createCounterRandom(1, 1), createCounterRandom(2n ** 32n + 1n, 0)];
  for (const other of others) expect(other.uniform(0, 0)).not.toBe(r.uniform(0, 0));
  expect(createCounterRandom(1, 0).uniform(3, 4)).toBe(r.uniform(3, 4));
});
