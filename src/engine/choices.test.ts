import { describe, expect, test } from 'vitest';
import { randomChatModel } from '../../test/chat-model.js';
import { FULL, goldenText } from '../../test/golden.js';
import { decodeModel } from '../checkpoint/decode.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import { choices } from './choices.js';
import { generate } from './text.js';

const seed = Number(process.env['MG_TEST_SEED'] ?? 1);
const names = decodeModel(
  new TextEncoder().encode(goldenText('persistence/model.json')),
  'persistence/model.json',
).checkpoint;
const bytes = randomChatModel(createByteTokenizer(), 24);

describe('choices', () => {
  test('the probabilities are those of many samples', () => {
    const candidates = ['ann', 'anna', 'karla', 'zzz'];
    const found = choices(names, '', candidates);
    expect(found.map(({ text }) => text)).toEqual(candidates);
    expect(Math.abs(found.reduce((sum, c) => sum + c.probability, 0) - 1)).toBeLessThan(1e-12);
    const samples = FULL ? 300_000 : 30_000;
    const texts = generate(names, { samples, temperature: 1, seed });
    for (const { text, logProbability } of found) {
      const p = Math.exp(logProbability);
      const counted = texts.filter((t) => t === text).length;
      expect(Math.abs(counted - samples * p), text).toBeLessThan(5 * Math.sqrt(samples * p) + 5);
    }
  });
  test('alone or among many, after a prompt, and without BOS', () => {
    const many = Array.from({ length: 50 }, (_, i) => `a${'bcdefghijk'[i % 10]}${'lmnop'[i % 5]}`);
    const together = choices(names, 'k', many);
    expect(choices(names, 'k', [many[7]])[0].logProbability).toBe(together[7].logProbability);
    expect(choices(names, 'k', [many[7]])[0].probability).toBe(1);
    expect(choices(bytes, 'The ', ['a', 'é']).reduce((sum, c) => sum + c.probability, 0)).toBeCloseTo(1, 12);
    expect(choices(names, '', [])).toEqual([]);
  });
  test('candidates that the model cannot read are refused', () => {
    expect(() => choices(names, '', ['an', 'Ann'])).toThrow(expect.objectContaining({ code: 'MG_OPTION_VALUE' }));
    expect(() => choices(names, 'abc', ['abcdef'])).toThrow(expect.objectContaining({ code: 'MG_OPTION_VALUE' }));
  });
});
