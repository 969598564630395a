import { expect, test } from 'vitest';
import { shuffledNames } from '../../test/golden.js';
import { canonicalModel, randomModel } from '../../test/scored-models.js';
import { exp, log } from '../base/math.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { slide, windowFor } from '../generate/sliding.js';
import { boundaryOf } from '../score/text.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import { createCharTokenizer } from '../tokenizer/char.js';
import { createEngine } from './create-engine.js';
import type { BackendName } from './engine.js';
import { createScorer, evaluate, score, scoreCandidates } from './score.js';

const ODD = [
  '',
  ' ',
  '\t',
  '\0',
  'é',
  '👩‍🚀',
  '\ud800',
  'a\udc00b',
  '\ufeffx',
  'emma\u0301',
  'z'.repeat(500),
  'ÿ🌍'.repeat(40),
];
const ALPHABET = createCharTokenizer([...'abcdefgh', null]);

/** Token by token, as generation reads: the probability of each token after the ones before, by plain loops. */
function slowly(model: Checkpoint, tokens: readonly number[], backend: BackendName = 'reference'): number[] {
  const { blockSize, vocabSize } = model.config;
  const engine = createEngine(backend, model.config, model.parameters);
  const decoder = engine.decoder(1);
  const window = windowFor(blockSize, model.tokenizer.bos !== null);
  const nats: number[] = [];
  const seen: number[] = [];
  let logits: number[] = [];
  for (const token of tokens) {
    if (seen.length > 0) {
      const weights = logits.map((x) => exp(x - Math.max(...logits)));
      nats.push(-log(weights[token] / weights.reduce((a, b) => a + b, 0)));
    }
    seen.push(token);
    const full = decoder.position(0) === blockSize;
    if (full) decoder.restart(0);
    for (const next of full ? slide(seen, window) : [token])
      logits = [...decoder.read([next], [0]).slice(0, vocabSize)];
  }
  engine.close();
  return nats;
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

test('a score is the product of the probabilities with which the model would write the text, of any length', () => {
  for (const bos of ['last', 'none'] as const) {
    for (const blockSize of [1, 2, 3, 8, 16]) {
      const tokenizer = bos === 'last' ? ALPHABET : createByteTokenizer();
      const model = randomModel(tokenizer, { blockSize });
      for (const length of [0, 1, blockSize - 1, blockSize, blockSize + 1, 3 * blockSize + 2, 100]) {
        const text = Array.from({ length }, (_, i) => 'abcdefgh'[(i * i + 3 * i) % 8]).join('');
        const boundary = boundaryOf(tokenizer);
        const nats = slowly(model, [boundary, ...tokenizer.encode(text).ids, boundary]);
        const found = score(model, text, { backend: 'reference', perCharacter: true });
        expect(found.logProbability, `${bos}, context ${blockSize}, ${length}`).toBeCloseTo(-sum(nats), 9);
        expect(found.bits).toBeCloseTo(sum(nats) / Math.LN2, 9);
        expect(found.endBits).toBeCloseTo(nats[nats.length - 1] / Math.LN2, 9);
        expect(found.bitsPerCharacter).toBeCloseTo(found.bits / Math.max(1, length), 9);
        found.characters?.forEach((character, i) => {
          expect(character.bits).toBeCloseTo(nats[i] / Math.LN2, 9);
        });
      }
    }
  }
});

test('the same bits alone and among many, whatever stands beside it', () => {
  const model = canonicalModel();
  const names = [...shuffledNames().slice(0, 150), ...ODD];
  const together = score(model, names, { perCharacter: true });
  names.forEach((name, i) => {
    expect(score(model, name, { perCharacter: true })).toEqual(together[i]);
  });
  const backwards = score(model, [...names].reverse(), { perCharacter: true });
  expect(backwards.reverse()).toEqual(together);
});

test('names are less surprising than the same letters backwards or sorted', () => {
  const names = shuffledNames().slice(0, 300);
  const mean = (texts: readonly string[]) =>
    sum(score(canonicalModel(), texts).map((one) => one.bitsPerCharacter)) / 300;
  const natural = mean(names);
  expect(natural).toBeLessThan(mean(names.map((name) => [...name].reverse().join(''))));
  expect(natural).toBeLessThan(mean(names.map((name) => [...name].sort().join(''))));
});

test('an unknown character costs more than any known one at its place, and the text goes on as if it were not there', () => {
  const model = canonicalModel();
  const known = score(model, 'emma', { perCharacter: true });
  const found = score(model, 'em7ma', { perCharacter: true });
  expect(found.unknown).toBe(1);
  const worst = Math.max(
    ...[...'abcdefghijklmnopqrstuvwxyz'].map(
      (c) => score(model, `em${c}`, { perCharacter: true }).characters?.[2].bits ?? 0,
    ),
  );
  expect(found.characters?.[2].bits).toBeGreaterThan(worst + 20);
  expect(found.bits - (found.characters?.[2].bits ?? 0)).toBeCloseTo(known.bits, 9);
  // Right before the end there is no known character after it to hold it.
  expect(score(model, 'emma7').bits).toBeGreaterThan(known.bits + 20);
  expect(score(model, '77').unknown).toBe(2);
});

test('with foldCase a capital costs what its small letter does; what is unknown either way stays so', () => {
  const model = canonicalModel();
  const small = score(model, 'emma', { perCharacter: true });
  const folded = score(model, 'EmMa', { perCharacter: true, foldCase: true });
  expect(folded.characters?.map(({ text }) => text).join('')).toBe('EmMa');
  expect({ ...folded, text: 'emma', characters: [] }).toEqual({ ...small, characters: [] });
  expect(folded.characters?.map(({ bits }) => bits)).toEqual(small.characters?.map(({ bits }) => bits));
  expect(score(model, 'E7', { foldCase: true }).unknown).toBe(1);
  expect(score(model, 'Emma').bits).toBeGreaterThan(small.bits + 20);
});

test.each(['char', 'byte', 'byte with BOS'])('any string has a finite score: %s', (kind) => {
  const tokenizer = kind === 'char' ? ALPHABET : createByteTokenizer(kind === 'byte' ? 'none' : 'bos');
  const model = randomModel(tokenizer);
  for (const one of score(model, ODD, { perCharacter: true })) {
    expect(Number.isFinite(one.bits) && one.bits > 0, JSON.stringify(one.text)).toBe(true);
    expect(one.characters?.map(({ text }) => text).join('')).toBe(one.text);
    expect(sum(one.characters?.map(({ bits }) => bits) ?? []) + one.endBits).toBeCloseTo(one.bits, 6);
  }
});

test('with bytes as tokens a character has the surprise of all its bytes', () => {
  const tokenizer = createByteTokenizer();
  const model = randomModel(tokenizer, { blockSize: 32 });
  const found = score(model, 'aé🌍b', { perCharacter: true, backend: 'reference' });
  const nats = slowly(model, [10, ...tokenizer.encode('aé🌍b').ids, 10]);
  const parts = [nats.slice(0, 1), nats.slice(1, 3), nats.slice(3, 7), nats.slice(7, 8)].map(
    (part) => sum(part) / Math.LN2,
  );
  found.characters?.forEach(({ bits }, i) => {
    expect(bits).toBeCloseTo(parts[i], 9);
  });
  expect(found.characters?.length).toBe(4);
});

test('candidates share out the probability among them', () => {
  const candidates = ['emma', 'zzxq', 'emm'];
  const found = scoreCandidates(canonicalModel(), candidates);
  expect(found.map(({ text }) => text)).toEqual(candidates);
  expect(sum(found.map(({ probability }) => probability))).toBeCloseTo(1, 12);
  const [a, b] = found;
  expect(Math.log(a.probability / b.probability)).toBeCloseTo(a.logProbability - b.logProbability, 9);
  expect(a.probability).toBeGreaterThan(b.probability);
  expect(scoreCandidates(canonicalModel(), [])).toEqual([]);
});

test('evaluation counts every token once', () => {
  const model = canonicalModel();
  const names = shuffledNames().slice(0, 200);
  const result = evaluate(model, names);
  const tokens = sum(names.map((name) => name.length + 1));
  expect([result.tokens, result.characters, result.unknown]).toEqual([tokens, tokens - 200, 0]);
  expect(result.loss).toBeCloseTo(-sum(score(model, names).map((one) => one.logProbability)) / tokens, 9);
  expect(result.perplexity).toBeCloseTo(Math.exp(result.loss), 9);
  expect(result.bitsPerCharacter).toBeCloseTo((result.loss / Math.LN2) * (tokens / (tokens - 200)), 9);
  expect(result.top1).toBeGreaterThan(0.2);
  expect(result.top5).toBeGreaterThan(result.top1);
  expect(evaluate(model, ['em7ma']).tokens).toBe(5);
  expect(evaluate(model, ['em7ma']).bitsPerCharacter).toBeCloseTo(score(model, 'em7ma').bitsPerCharacter, 9);

  const bytes = randomModel(createByteTokenizer());
  const scorer = createScorer(bytes, { backend: 'reference' });
  const text = new TextEncoder().encode('aé€😀b');
  // The first byte has nothing before it and does not count.
  expect(scorer.evaluateStream(text)).toMatchObject({ tokens: text.length - 1, characters: 4 });
  const stream = Uint8Array.from({ length: 333 }, (_, i) => (i * 7 + (i >> 3)) & 255);
  const nats = slowly(bytes, [...stream]);
  const found = scorer.evaluateStream(stream);
  expect(found.tokens).toBe(332);
  expect(found.loss).toBeCloseTo(sum(nats) / 332, 9);
  expect(scorer.evaluateStream(new Uint8Array(0)).tokens).toBe(0);
  scorer.close();
});

test('a damaged model is refused, not scored', () => {
  const model = canonicalModel();
  const damaged = { ...model, parameters: model.parameters.map(() => Number.NaN) };
  expect(() => score(damaged, 'emma')).toThrow(expect.objectContaining({ code: 'MG_GEN_NONFINITE' }));
  expect(() => score(model, 7 as unknown as string)).toThrow(expect.objectContaining({ code: 'MG_OPTION_VALUE' }));
  expect(score(model, [])).toEqual([]);
});
