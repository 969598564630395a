import { expect, test } from 'vitest';
import { createPythonRandom } from '../base/python-random.js';
import { generate } from '../engine/text.js';
import { modelConfig } from '../model/config.js';
import { initialParameters, parameterTable } from '../model/parameters.js';
import { charTokenizerFrom } from '../tokenizer/char.js';
import { generateSamples, type Reader } from './generate.js';
import { counterDraw, probabilities } from './sampler.js';

function randomModel(seed: number) {
  const tokenizer = charTokenizerFrom(['abcdefgh'], 'last');
  const config = modelConfig({ nEmbd: 8, nHead: 2, blockSize: 6, vocabSize: tokenizer.size });
  const parameters = initialParameters(
    parameterTable(config),
    { std: 0.15, residualStd: 0.15 },
    createPythonRandom(seed).gauss,
  );
  return { tokenizer, config, parameters };
}

test('probabilities: a softmax with temperature; temperature 0 takes the largest, the lowest id of equal ones', () => {
  const p = probabilities([0, Math.log(3)], 1);
  expect([p[0], p[1]].map((x) => Number(x.toFixed(12)))).toEqual([0.25, 0.75]);
  expect([...probabilities([1, 5, 5, 2], 0)]).toEqual([0, 1, 0, 0]);
  expect([...probabilities([-1e4, 1e4, 0], 1e-6)]).toEqual([0, 1, 0]);
  expect([...probabilities([2, 5, 3], 1e-310)]).toEqual([0, 1, 0]);
  expect(() => probabilities([0, Number.POSITIVE_INFINITY], 1)).toThrow(
    expect.objectContaining({ code: 'MG_GEN_NONFINITE' }),
  );
  expect([...probabilities([1e4, Number.NEGATIVE_INFINITY], 2)]).toEqual([1, 0]);
  expect(() => probabilities([0, Number.NaN], 1)).toThrow(expect.objectContaining({ code: 'MG_GEN_NONFINITE' }));
});

test('probabilities of a row among others, in an array that is used again, are those of the row alone', () => {
  const rows = [
    [1, -2, 0.5, 7],
    [3, 3, -9, 0],
  ];
  const out = new Float64Array(4).fill(Number.NaN);
  for (const temperature of [1, 0.3, 0]) {
    rows.forEach((row, r) => {
      const alone = probabilities(row, temperature);
      expect([...probabilities(rows.flat(), temperature, out, 4 * r)]).toEqual([...alone]);
      expect(Math.abs(alone.reduce((a, b) => a + b) - 1)).toBeLessThan(1e-15);
    });
  }
});

test('draws follow the probabilities (χ² over 200,000 draws) and never take an impossible id', () => {
  const weights = Float64Array.of(0.5, 0, 0.2, 0.05, 0.25, 0);
  const draw = counterDraw(9);
  const counts = new Float64Array(6);
  for (let i = 0; i < 200_000; i++) counts[draw(weights, i % 1000, Math.floor(i / 1000))]++;
  const chi2 = weights.reduce((sum, w, i) => (w === 0 ? sum : sum + (counts[i] - 200_000 * w) ** 2 / (200_000 * w)), 0);
  expect([counts[1], counts[5]]).toEqual([0, 0]);
  expect(chi2).toBeLessThan(21.1); // 3 degrees of freedom, p = 1e-4
  // A sum below 1, which rounding gives by a hair and this by half: what is beyond it falls to the last that is possible.
  const short = Float64Array.of(0, 0.25, 0.25, 0);
  const ids = Array.from({ length: 100 }, (_, position) => draw(short, 0, position));
  expect(new Set(ids)).toEqual(new Set([1, 2]));
});

test('each attempt at a sample draws anew', () => {
  const even = new Float64Array(8).fill(1 / 8);
  const drawn = [0, 1, 2].map((attempt) => {
    const draw = counterDraw(9, attempt);
    return Array.from({ length: 50 }, (_, position) => draw(even, 0, position)).join();
  });
  expect(new Set(drawn).size).toBe(3);
});

test('a sample is the same alone and among a hundred', () => {
  const model = randomModel(1);
  const all = generate(model, { samples: 100, seed: 3, temperature: 1 });
  expect(new Set(all).size).toBeGreaterThan(50);
  expect(generate(model, { samples: 7, seed: 3, temperature: 1 })).toEqual(all.slice(0, 7));
  expect(generate(model, { samples: 100, seed: 4, temperature: 1 })).not.toEqual(all);
});

/** Always predicts token 1, and notes what it reads of each sequence. */
function reader(sequences: number): Reader & { read: Reader['read']; log: number[][] } {
  const log: number[][] = Array.from({ length: sequences }, () => []);
  return {
    sequences,
    log,
    position: (sequence) => log[sequence].length,
    read(tokens, of) {
      for (let r = 0; r < tokens.length; r++) log[of[r]].push(tokens[r]);
      return Float64Array.from({ length: 3 * tokens.length }, (_, i) => (i % 3 === 1 ? 9 : 0));
    },
    restart(sequence, keep = 0) {
      log[sequence].length = Math.min(keep, log[sequence].length);
    },
  };
}

test('a sequence ends with the context, which is never overrun', () => {
  const options = { samples: 1, bos: 2, blockSize: 4, vocabSize: 3, temperature: 0, draw: counterDraw(0) };
  const r = reader(1);
  expect(generateSamples(r, { ...options, prompt: [] })).toEqual([[1, 1, 1, 1]]);
  expect(r.log).toEqual([[2, 1, 1, 1]]);
  expect(generateSamples(r, { ...options, prompt: [0, 0, 0, 0, 0, 0] })).toEqual([[1]]);
  expect(r.log).toEqual([[2, 0, 0, 0]]);
  expect(generateSamples(r, { ...options, prompt: [0], maxTokens: 1 })).toEqual([[1]]);
  expect(generateSamples(r, { ...options, prompt: [0], maxTokens: 0 })).toEqual([[]]);
  expect(generateSamples(r, { ...options, prompt: [], samples: 0 })).toEqual([]);
});

test('several sequences run side by side, and places are used again', () => {
  const options = { samples: 5, bos: 2, blockSize: 4, vocabSize: 3, temperature: 0, draw: counterDraw(0), prompt: [0] };
  expect(generateSamples(reader(2), options)).toEqual([1, 2, 3, 4, 5].map(() => [1, 1, 1]));
});

test('text that the model does not know stays in front and does not reach the model', () => {
  const model = randomModel(2);
  const [known] = generate(model, { prompt: 'ab', seed: 1 });
  const [odd] = generate(model, { prompt: 'a?b', seed: 1 });
  expect(odd).toBe(`a?${known.slice(1)}`);
});
