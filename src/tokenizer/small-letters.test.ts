// How prompts with capitals are read by models that know only small letters.
import { expect, test } from 'vitest';
import { createByteTokenizer } from './byte.js';
import { charTokenizerFrom } from './char.js';
import { inSmallLetters, readPrompt } from './small-letters.js';

test('a capital is read as its small letter only where the model knows that and not the capital', () => {
  const small = charTokenizerFrom(['anbé'], 'last');
  const read = readPrompt(small, 'AnnÉ 7A');
  expect(read).toMatchObject({ text: 'annéa', folded: ['A', 'É'], unknown: [' ', '7'] });
  expect(read.ids).toEqual(small.encode('annéa').ids);
  expect(readPrompt(small, 'ban')).toMatchObject({ text: 'ban', folded: [], unknown: [] });
  const both = charTokenizerFrom(['aAb'], 'last');
  expect(readPrompt(both, 'AaB')).toMatchObject({ text: 'Aab', folded: ['B'], unknown: [] });
  const capitals = charTokenizerFrom(['AB'], 'last');
  expect(readPrompt(capitals, 'Ab')).toMatchObject({ text: 'A', folded: [], unknown: ['b'] });
});

test('a capital with a small form of two characters is read when both are known; bytes are read as they stand', () => {
  const dotted = 'İ'; // small: i and a combining dot
  expect(inSmallLetters(charTokenizerFrom(['i'], 'last'), dotted)).toBe(dotted);
  expect(inSmallLetters(charTokenizerFrom(['i\u0307'], 'last'), dotted)).toBe('i\u0307');
  expect(readPrompt(createByteTokenizer(), 'Anna')).toMatchObject({ text: 'Anna', folded: [], unknown: [] });
});
