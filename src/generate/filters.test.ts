import { describe, expect, test } from 'vitest';
import { FULL } from '../../test/golden.js';
import { createChoose, createFilters, type Sampling, type Sequence } from './filters.js';
import { counterDraw, probabilities } from './sampler.js';

const seed = Number(process.env['MG_TEST_SEED'] ?? 1);
const DRAWS = FULL ? 1_000_000 : 100_000;

const LOGITS = [1, 3, -2, 2.5, 0, 2, -40, 1.5, 2.5, -1];
const V = LOGITS.length;

const sequence = (tokens: readonly number[] = [0], mask: Uint8Array | null = null, sample = 0): Sequence => ({
  sample,
  tokens,
  mask,
});

/** The probabilities by the definition of each filter, slowly. */
function expected(s: Sampling, tokens: readonly number[], mask: Uint8Array | null): number[] {
  let scores = LOGITS.map((logit, i) => {
    const barred = s.allowed?.[i] === 0 || mask?.[i] === 0;
    return barred ? Number.NEGATIVE_INFINITY : (logit + (s.bias?.get(i) ?? 0)) / s.temperature;
  });
  const window = s.repetitionWindow === undefined ? tokens : tokens.slice(tokens.length - s.repetitionWindow);
  const penalty = s.repetitionPenalty ?? 1;
  for (const t of window) scores[t] = scores[t] > 0 ? scores[t] / penalty : scores[t] * penalty;
  if (s.topK) {
    const least = [...scores].sort((a, b) => b - a)[Math.min(s.topK, V) - 1];
    scores = scores.map((x) => (x >= least ? x : Number.NEGATIVE_INFINITY));
  }
  const normal = (p: number[]) => p.map((x) => x / p.reduce((a, b) => a + b));
  let p = normal(scores.map((x) => Math.exp(x)));
  if (s.topP !== undefined) {
    const order = p.map((x, i) => [x, i]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    let sum = 0;
    const kept = new Set<number>();
    for (const [x, i] of order) {
      if (sum >= s.topP && kept.size > 0) break;
      kept.add(i);
      sum += x;
    }
    p = normal(p.map((x, i) => (kept.has(i) ? x : 0)));
  }
  if (s.minP) p = normal(p.map((x) => (x >= s.minP! * Math.max(...p) ? x : 0)));
  return p;
}

const everySecond = Uint8Array.from({ length: V }, (_, i) => (i % 2 === 0 ? 1 : 0));
const CASES: [string, Sampling, number[]?, (Uint8Array | null)?][] = [
  ['temperature 1', { temperature: 1 }],
  ['temperature 0.4', { temperature: 0.4 }],
  ['top-k 3', { temperature: 1, topK: 3 }],
  ['top-k 2, where the second and the third are equal', { temperature: 1, topK: 2 }],
  ['top-k of more than there are', { temperature: 1, topK: 99 }],
  ['top-p 0.8', { temperature: 1, topP: 0.8 }],
  ['top-p 0.5, in the middle of equal ones', { temperature: 1, topP: 0.5 }],
  ['top-p 0', { temperature: 1, topP: 0 }],
  ['min-p 0.3', { temperature: 1, minP: 0.3 }],
  ['min-p between two that are near each other', { temperature: 1, minP: 0.63 }], // 2.5 has e^-0.5 = 0.61 of what 3 has
  ['min-p 1', { temperature: 1, minP: 1 }],
  ['penalty', { temperature: 0.7, repetitionPenalty: 1.3 }, [1, 1, 2, 3]],
  ['penalty of a score that the temperature made small', { temperature: 4, repetitionPenalty: 1.3 }, [0, 2]],
  ['top-p before min-p', { temperature: 1, topP: 0.75, minP: 0.3 }], // the other way round, three would be left of four
  ['penalty with a window', { temperature: 0.7, repetitionPenalty: 1.3, repetitionWindow: 2 }, [1, 1, 2, 3]],
  [
    'bias',
    {
      temperature: 1,
      bias: new Map([
        [2, 5],
        [1, Number.NEGATIVE_INFINITY],
      ]),
    },
  ],
  ['allowed tokens', { temperature: 1, allowed: everySecond }],
  ['a mask', { temperature: 1 }, [0], everySecond],
  [
    'all of it',
    {
      temperature: 0.9,
      topK: 6,
      topP: 0.9,
      minP: 0.1,
      repetitionPenalty: 1.2,
      bias: new Map([[0, 1]]),
      allowed: everySecond,
    },
    [1, 2, 4],
  ],
];

/** Above it, χ² with n degrees of freedom has a probability of about 1e-5 (Wilson & Hilferty, 1931). */
const critical = (n: number) => n * (1 - 2 / (9 * n) + 4.27 * Math.sqrt(2 / (9 * n))) ** 3;

describe.each(CASES)('%s', (_, sampling, tokens = [0], mask = null) => {
  test('the probabilities are those of the definition', () => {
    const out = new Float64Array(V);
    const p = createFilters(sampling, V).probabilities(LOGITS, 0, sequence(tokens, mask), out);
    expected(sampling, tokens, mask).forEach((x, i) => {
      expect(Math.abs(p[i] - x), `token ${i}`).toBeLessThan(1e-12);
      expect(p[i] === 0).toBe(x === 0);
    });
  });

  test(`draws follow them (χ² over ${DRAWS} draws)`, () => {
    const p = expected(sampling, tokens, mask);
    const choose = createChoose(sampling, V, counterDraw(seed));
    const counts = new Float64Array(V);
    for (let i = 0; i < DRAWS; i++) counts[choose(LOGITS, 0, sequence(tokens, mask, i))]++;
    const possible = p.filter((x) => x * DRAWS > 5).length;
    let chi2 = 0;
    p.forEach((x, i) => {
      if (x === 0) expect(counts[i], `token ${i}`).toBe(0);
      else if (x * DRAWS > 5) chi2 += (counts[i] - x * DRAWS) ** 2 / (x * DRAWS);
    });
    expect(chi2, `seed ${seed}`).toBeLessThan(possible > 1 ? critical(possible - 1) : 1e-9);
  });
});

test('top-p: those that reach it exactly are enough', () => {
  const p = createFilters({ temperature: 1, topP: 0.5 }, 4).probabilities(
    [7, 7, 7, 7],
    0,
    sequence(),
    new Float64Array(4),
  );
  expect([...p]).toEqual([0.5, 0.5, 0, 0]);
});

test('control: the χ² test notices draws by other probabilities', () => {
  const p = expected({ temperature: 1 }, [0], null);
  const choose = createChoose({ temperature: 0.95 }, V, counterDraw(seed));
  const counts = new Float64Array(V);
  for (let i = 0; i < 100_000; i++) counts[choose(LOGITS, 0, sequence([0], null, i))]++;
  let chi2 = 0;
  p.forEach((x, i) => {
    if (x * 1e5 > 5) chi2 += (counts[i] - x * 1e5) ** 2 / (x * 1e5);
  });
  expect(chi2).toBeGreaterThan(critical(V - 2));
});

test('without filters, and with filters that take nothing away, the bits are those of the plain softmax', () => {
  const plain = probabilities(LOGITS, 0.7);
  for (const sampling of [
    { temperature: 0.7 },
    { temperature: 0.7, bias: new Map([[3, 0]]) },
    { temperature: 0.7, topK: V },
  ]) {
    const out = new Float64Array(V);
    const p = createFilters(sampling, V).probabilities(LOGITS, 0, sequence(), out);
    expect([...p].every((x, i) => Math.abs(x - plain[i]) < 1e-15)).toBe(true);
  }
});

test('greedy: the largest that is left, of equal ones the lowest id; penalty, bias and masks count before', () => {
  const greedy = (sampling: Partial<Sampling>, tokens: number[] = [0], mask: Uint8Array | null = null) =>
    createChoose({ temperature: 0, ...sampling }, V, counterDraw(0))(LOGITS, 0, sequence(tokens, mask));
  expect(greedy({})).toBe(1);
  expect(greedy({ bias: new Map([[1, Number.NEGATIVE_INFINITY]]) })).toBe(3);
  expect(greedy({ repetitionPenalty: 2 }, [1])).toBe(3);
  expect(greedy({ repetitionPenalty: 2, repetitionWindow: 1 }, [1, 0])).toBe(1);
  expect(greedy({ allowed: everySecond })).toBe(8);
  expect(greedy({}, [0], everySecond)).toBe(8);
  expect(greedy({ topK: 4, topP: 0.1, minP: 0.9 })).toBe(1);
});

test('tokens without text are not counted as said', () => {
  const filters = createFilters({ temperature: 1, repetitionPenalty: 3 }, V, [1]);
  const p = filters.probabilities(LOGITS, 0, sequence([1, 1]), new Float64Array(V));
  expect(Math.abs(p[1] - expected({ temperature: 1 }, [], null)[1])).toBeLessThan(1e-15);
});

describe('extreme logits', () => {
  const INF = Number.POSITIVE_INFINITY;
  const settings: Sampling[] = [0, 1e-310, 1e-6, 0.5, 1, 2, 100].flatMap((temperature) => [
    { temperature },
    { temperature, topK: 1 },
    { temperature, topP: 1e-12 },
    { temperature, topK: 2, topP: 0.5, minP: 0.5, repetitionPenalty: 1.5 },
    { temperature, bias: new Map([[0, -1e4]]) },
  ]);
  test.each([
    ['±1e4', [1e4, -1e4, 1e4, 0]],
    ['all equal', [7, 7, 7, 7]],
    ['all -1e4', [-1e4, -1e4, -1e4, -1e4]],
    ['one -Infinity', [1, -INF, 2, 0]],
    ['all but one -Infinity', [-INF, -INF, 2, -INF]],
    ['the largest doubles', [1e308, -1e308, 1e308, 1e308]],
  ])('%s: never an id out of range or one that is impossible', (_, logits) => {
    for (const sampling of settings) {
      const choose = createChoose(sampling, 4, counterDraw(seed));
      for (let i = 0; i < 200; i++) {
        const id = choose(logits, 0, sequence([0, 2], null, i));
        expect(Number.isInteger(id) && id >= 0 && id < 4 && logits[id] !== -INF).toBe(true);
      }
    }
  });

  test.each([
    ['all NaN', [Number.NaN, Number.NaN, Number.NaN, Number.NaN]],
    ['one NaN', [1, 2, Number.NaN, 0]],
    ['+Infinity', [1, INF, 0, 0]],
    ['all -Infinity', [-INF, -INF, -INF, -INF]],
  ])('%s: a typed error', (_, logits) => {
    for (const sampling of settings) {
      const choose = createChoose(sampling, 4, counterDraw(seed));
      expect(() => choose(logits, 0, sequence())).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^MG_GEN_(NONFINITE|IMPOSSIBLE)$/) }),
      );
    }
  });

  test('nothing left to choose from: a typed error', () => {
    const choose = createChoose({ temperature: 1, allowed: new Uint8Array(4) }, 4, counterDraw(seed));
    expect(() => choose([1, 2, 3, 4], 0, sequence())).toThrow(expect.objectContaining({ code: 'MG_GEN_IMPOSSIBLE' }));
  });
});
