import { expect, test } from 'vitest';
import { parseJson } from '../base/json.js';
import { createByteTokenizer } from './byte.js';
import { charTokenizerFrom, createCharTokenizer } from './char.js';
import type { Tokenizer } from './tokenizer.js';
import { tokenizerFromJson, tokenizerToJson } from './tokenizer-json.js';

const facts = ({ kind, size, bos, roles, pieces }: Tokenizer) => ({ kind, size, bos, roles, pieces });

test.each<[string, Tokenizer]>([
  ['bytes', createByteTokenizer()],
  ['bytes with BOS', createByteTokenizer('bos')],
  ['bytes for conversations', createByteTokenizer('chat')],
  ['characters, BOS first', charTokenizerFrom(['z😀\u0000"\\\u2028'], 'first')],
  ['characters, BOS last', charTokenizerFrom(['abc'], 'last')],
  ['characters for conversations', charTokenizerFrom(['abc'], 'chat')],
  [
    'special tokens anywhere',
    createCharTokenizer(['b', null, 'a', null, null, 'c', null], { user: 6, assistant: 1, end: 4 }),
  ],
])('%s: through JSON and back, by either reader', (_, tokenizer) => {
  const text = JSON.stringify(tokenizerToJson(tokenizer));
  expect(facts(tokenizerFromJson(JSON.parse(text)))).toEqual(facts(tokenizer));
  expect(facts(tokenizerFromJson(parseJson(text, 'x', 'MG_TOKENIZER_INVALID')))).toEqual(facts(tokenizer));
});

test('the JSON itself, which files keep', () => {
  expect(tokenizerToJson(createByteTokenizer('chat'))).toEqual({ kind: 'byte', specials: 'chat' });
  expect(tokenizerToJson(charTokenizerFrom(['ba'], 'first'))).toEqual({ kind: 'char', characters: ['a', 'b'], bos: 0 });
  expect(tokenizerToJson(charTokenizerFrom(['ba'], 'chat'))).toEqual({
    kind: 'char',
    characters: ['a', 'b'],
    bos: 5,
    roles: { user: 2, assistant: 3, end: 4 },
  });
});

test.each([
  'null',
  '[]',
  '"char"',
  '{}',
  '{"kind":"bpe"}',
  '{"kind":"byte"}',
  '{"kind":"byte","specials":"all"}',
  '{"kind":"byte","specials":"none","bos":3}',
  '{"kind":"char","characters":["a"]}',
  '{"kind":"char","characters":"ab","bos":2}',
  '{"kind":"char","characters":["a"],"bos":2}',
  '{"kind":"char","characters":["a"],"bos":-1}',
  '{"kind":"char","characters":["a"],"bos":0.5}',
  '{"kind":"char","characters":["a"],"bos":null}',
  '{"kind":"char","characters":["a","a"],"bos":2}',
  '{"kind":"char","characters":["ab"],"bos":1}',
  '{"kind":"char","characters":[1],"bos":1}',
  '{"kind":"char","characters":["a"],"bos":1,"roles":null}',
  '{"kind":"char","characters":["a"],"bos":1,"roles":{"user":2,"assistant":3}}',
  '{"kind":"char","characters":["a"],"bos":1,"roles":{"user":1,"assistant":2,"end":3}}',
  '{"kind":"char","characters":["a"],"bos":1,"extra":1}',
])('refused: %s', (text) => {
  expect(() => tokenizerFromJson(JSON.parse(text))).toThrow(expect.objectContaining({ code: 'MG_TOKENIZER_INVALID' }));
});
