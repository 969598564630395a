import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createByteTokenizer } from './byte.js';
import { createCharTokenizer } from './char.js';

test('any text survives as bytes, whole and as it streams', () => {
  const tokenizer = createByteTokenizer('chat');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const { ids } = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      const stream = tokenizer.decoder();
      const parts = ids.map((id) => stream.push(id));
      expect(parts.join('') + stream.end()).toBe(text);
      for (const part of parts) expect(part).not.toContain('\ufffd');
    }),
  );
});

test('a byte order mark is text like any other; no special token shows in a stream', () => {
  for (const specials of ['none', 'bos', 'chat'] as const) {
    const tokenizer = createByteTokenizer(specials);
    const { ids } = tokenizer.encode('\ufeffa');
    expect(tokenizer.decode(ids)).toBe('\ufeffa');
    const stream = tokenizer.decoder();
    const all = [...ids, ...Array.from({ length: tokenizer.size - 256 }, (_, i) => 256 + i)];
    expect(all.map((id) => stream.push(id)).join('') + stream.end()).toBe('\ufeffa');
  }
});

test('a character that is cut off shows at the end only; special tokens have no text', () => {
  const tokenizer = createByteTokenizer('chat');
  const stream = tokenizer.decoder();
  expect([0xf0, 0x9f, 0x98].map((id) => stream.push(id))).toEqual(['', '', '']);
  expect(stream.end()).toBe('\ufffd');
  expect(tokenizer.decode([tokenizer.bos!, 97, tokenizer.roles!.end])).toBe('a');
  expect(createByteTokenizer().bos).toBeNull();
});

test('roles are special tokens of their own', () => {
  const pieces = ['a', null, null, null, null];
  const tokenizer = createCharTokenizer(pieces, { user: 1, assistant: 2, end: 3 });
  expect([tokenizer.bos, tokenizer.decode([4, 1, 0, 3])]).toEqual([4, 'a']);
  for (const roles of [
    { user: 0, assistant: 2, end: 3 },
    { user: 1, assistant: 1, end: 3 },
    { user: 1, assistant: 2, end: 9 },
  ]) {
    expect(() => createCharTokenizer(pieces, roles)).toThrow(expect.objectContaining({ code: 'MG_TOKENIZER_INVALID' }));
  }
});
