/**
 * Evaluation with a reader that always says the same, so that every number can be had by hand.
 */
import { expect, test } from 'vitest';
import type { Reader } from '../generate/scheduler.js';
import { charTokenizerFrom } from '../tokenizer/char.js';
import { evaluateTexts } from './evaluate.js';

const tokenizer = charTokenizerFrom(['abcdefg'], 'last');
const V = tokenizer.size; // 8: 'a' is the likeliest, BOS the least likely
const reader: Reader = {
  sequences: 64,
  position: () => 0,
  restart: () => {},
  read: (tokens) => Float64Array.from({ length: tokens.length * V }, (_, i) => -(i % V)),
};
const evaluate = (...texts: string[]) => evaluateTexts(reader, texts, { tokenizer, blockSize: 16, vocabSize: V });

const sum = Array.from({ length: V }, (_, id) => Math.exp(-id)).reduce((a, b) => a + b);
const nats = (id: number) => id + Math.log(sum);

test('loss, bits per character and guesses: the end of each text is a token, and no character', () => {
  const found = evaluate('e', 'f', 'aa');
  expect(found).toMatchObject({ tokens: 7, characters: 4, unknown: 0, top1: 2 / 7, top5: 3 / 7 }); // e is the fifth, f the sixth
  const total = nats(4) + nats(5) + 2 * nats(0) + 3 * nats(7);
  expect(found.loss).toBeCloseTo(total / 7, 12);
  expect(found.bitsPerCharacter).toBeCloseTo(total / Math.LN2 / 4, 12);
});

test('each unknown character costs the least likely token and 20.1 bits more, and is no token', () => {
  const found = evaluate('a??b');
  expect(found).toMatchObject({ tokens: 3, characters: 4, unknown: 2 });
  expect(found.loss).toBeCloseTo((nats(0) + nats(1) + nats(7)) / 3, 12);
  const each = nats(7) + Math.log(1_112_064);
  expect(found.bitsPerCharacter).toBeCloseTo((3 * found.loss + 2 * each) / Math.LN2 / 4, 12);
});

test('texts in whatever number: none is left out', () => {
  expect(evaluate(...Array.from({ length: 2050 }, () => 'a'))).toMatchObject({ tokens: 4100, characters: 2050 });
});
