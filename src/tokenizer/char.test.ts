/**
 * Characters as tokens: their order, the special ones among them, and lists that are refused.
 */
import { expect, test } from 'vitest';
import { LIMITS } from '../base/limits.js';
import { charTokenizerFrom, charTokenizerOf, createCharTokenizer } from './char.js';

test('characters stand in the order of their code points, as in Python, not of their UTF-16 units', () => {
  expect(charTokenizerFrom(['😀～b', 'a'], 'last').pieces).toEqual(['a', 'b', '～', '😀', null]);
  expect(charTokenizerFrom(['ba'], 'first').pieces).toEqual([null, 'a', 'b']);
  const { pieces, bos, roles } = charTokenizerFrom(['ba'], 'chat');
  expect([pieces, bos, roles]).toEqual([['a', 'b', null, null, null, null], 5, { user: 2, assistant: 3, end: 4 }]);
});

test.each<[string, (string | null)[], { user: number; assistant: number; end: number } | null]>([
  ['ids 0 and 2 are both BOS', [null, 'a', null], null],
  ['no token is BOS', ['a', 'b'], null],
  ['appears as token 0 and as token 1', ['a', 'a', null], null],
  ['expected one character', ['ab', null], null],
  ['two roles have the same token', ['a', null, null, null], { user: 1, assistant: 1, end: 2 }],
  ['token 0 is a role and has a piece', ['a', null, null, null], { user: 0, assistant: 1, end: 2 }],
])('refused: %s', (message, pieces, roles) => {
  expect(() => createCharTokenizer(pieces, roles)).toThrow(
    expect.objectContaining({ code: 'MG_TOKENIZER_INVALID', message: expect.stringContaining(message) }),
  );
});

test('as many characters as leave room for the special tokens', () => {
  const characters = (count: number) =>
    new Set(Array.from({ length: count }, (_, i) => String.fromCodePoint(0x10000 + i)));
  expect(charTokenizerOf(characters(LIMITS.vocabSize - 4), 'chat').size).toBe(LIMITS.vocabSize);
  expect(() => charTokenizerOf(characters(LIMITS.vocabSize - 3), 'chat')).toThrow(
    expect.objectContaining({ code: 'MG_TOKENIZER_VOCAB' }),
  );
});
