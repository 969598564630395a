import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MicrogptError } from '../base/errors.js';
import { charTokenizerFrom, createCharTokenizer } from '../tokenizer/char.js';
import { collate, encodeDocuments, sequentialBatches, splitBatch } from './batches.js';
import { decodeUtf8, documentsFromLines, strip } from './documents.js';
import { recogniseFile } from './file-kinds.js';
import { guessFormat } from './guess-format.js';
import { createUtf8Decoder } from './utf8.js';

test('documents are lines, stripped by Python’s rules', () => {
  expect(strip('\t\u001c\u0085\u00a0\u3000a b\u2028\r\n')).toBe('a b');
  expect(strip('\ufeffa\ufeff')).toBe('\ufeffa\ufeff'); // JavaScript’s trim would cut it, Python’s strip does not
  expect(documentsFromLines('emma\r\n  olivia\rava\n\n \u001f \nzoë', 'x')).toEqual(['emma', 'olivia', 'ava', 'zoë']);
  expect(() => documentsFromLines('\n \n', 'x')).toThrow(expect.objectContaining({ code: 'MG_DATA_EMPTY' }));
});

test('invalid UTF-8 is reported with its byte, offset and line', () => {
  const at = (bytes: number[]) => {
    try {
      decodeUtf8(Uint8Array.from(bytes), 'f');
    } catch (error) {
      return (error as MicrogptError).message;
    }
    return 'fine';
  };
  expect(at([0x61, 0xc3, 0xa9])).toBe('fine');
  expect(at([0x61, 0x0a, 0x62, 0xff, 0x63])).toContain('0xFF at offset 3 (line 2)');
  expect(at([0x61, 0xc0, 0x80])).toContain('0xC0 at offset 1');
  expect(at([0xed, 0xa0, 0x80])).toContain('at offset 0');
  expect(at([0x61, 0xe2, 0x82])).toContain('0xE2 at offset 1');
  expect(at([0x61, 0xe2, 0x82, 0x61])).toContain('0xE2 at offset 1');
  expect(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), 'f')).toBe('a');
});

test('the char tokenizer sorts by code point and takes characters beyond 16 bits as one', () => {
  const tokenizer = charTokenizerFrom(['\uff5e😀', 'ba'], 'last');
  expect(tokenizer.pieces).toEqual(['a', 'b', '\uff5e', '😀', null]);
  expect(tokenizer.encode('😀a')).toEqual({ ids: [3, 0], unknown: [] });
  expect(charTokenizerFrom(['ba'], 'first').pieces).toEqual([null, 'a', 'b']);
});

test('text never becomes a special token; unknown characters are named, not encoded', () => {
  const tokenizer = charTokenizerFrom(['<BOS>'], 'first');
  const { ids, unknown } = tokenizer.encode('<BOS>?!?');
  expect(ids).not.toContain(tokenizer.bos);
  expect(unknown).toEqual(['?', '!']);
  expect(tokenizer.decode([0, ...ids, 0])).toBe('<BOS>');
});

test('any text survives encoding and decoding', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
      const tokenizer = charTokenizerFrom([text], 'last');
      expect(tokenizer.decode(tokenizer.encode(text).ids)).toBe(text);
    }),
  );
});

test.each([[['a', 'a', null]], [['ab', null]], [['a']], [[null, 'a', null]], [['', null]]])(
  'a list that is no tokenizer: %j',
  (pieces) => {
    expect(() => createCharTokenizer(pieces)).toThrow(expect.objectContaining({ code: 'MG_TOKENIZER_INVALID' }));
  },
);

test('batches: BOS around each document, cut to the context, one after the other', () => {
  const tokenizer = charTokenizerFrom(['abc'], 'last');
  const sequences = encodeDocuments(['bc', 'c', 'abcab'], tokenizer, 'x');
  const batches = sequentialBatches(sequences, 2, 4);
  const first = batches(0);
  expect([...first.starts]).toEqual([0, 3, 5]);
  expect([...first.tokens]).toEqual([3, 1, 2, 3, 2]);
  expect([...first.positions]).toEqual([0, 1, 2, 0, 1]);
  expect([...first.targets]).toEqual([1, 2, 3, 2, 3]);
  expect([...first.weights]).toEqual([0.2, 0.2, 0.2, 0.2, 0.2]);
  const second = batches(1);
  expect([...second.starts]).toEqual([0, 4, 7]);
  expect([...second.tokens]).toEqual([3, 0, 1, 2, 3, 1, 2]); // the long one, cut to 4 predictions, and from the start again
});

test('a batch is a pure function of the step', () => {
  const tokenizer = charTokenizerFrom(['abc'], 'last');
  const batches = sequentialBatches(encodeDocuments(['ab', 'c', 'abcab'], tokenizer, 'x'), 2, 4);
  const once = batches(5);
  batches(0);
  expect(batches(5)).toEqual(once);
});

test('batches of one, which share what they can, are what any batch of that document is', () => {
  const tokenizer = charTokenizerFrom(['abc'], 'last');
  const sequences = encodeDocuments(['ab', 'c', 'abcab', 'ca'], tokenizer, 'x');
  const batches = sequentialBatches(sequences, 1, 4);
  for (let step = 0; step < 9; step++) expect(batches(step)).toEqual(collate([sequences[step % 4]], 4));
});

test('data of one kind of character is refused', () => {
  const tokenizer = charTokenizerFrom(['aaa'], 'last');
  expect(() => encodeDocuments(['a', 'aa'], tokenizer, 'x')).toThrow(
    expect.objectContaining({ code: 'MG_DATA_TOO_SMALL' }),
  );
});

test('a split batch: whole sequences, their rows and weights as they were, in their order', () => {
  const lengths = fc.array(fc.integer({ min: 2, max: 9 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 15 }), (sizes, n) => {
      const sequences = sizes.map((size, b) => Int32Array.from({ length: size }, (_, i) => 100 * b + i));
      const batch = collate(sequences, 6);
      const parts = splitBatch(batch, n);
      expect(parts.length).toBe(Math.min(n, sizes.length));
      for (const name of ['tokens', 'positions', 'targets', 'weights'] as const) {
        expect(parts.flatMap((part) => [...part[name]])).toEqual([...batch[name]]);
      }
      const counts = parts.map(({ starts }) => starts.length - 1);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      for (const { starts, tokens, positions } of parts) {
        expect([starts[0], starts.at(-1)]).toEqual([0, tokens.length]);
        expect([...positions].every((position, r) => (position === 0) === starts.includes(r))).toBe(true);
      }
    }),
  );
});

test('zeros everywhere are no UTF-16; damaged text is bytes, unless it is to be read as text', () => {
  expect(recogniseFile(new Uint8Array(512))).toBeNull();
  expect(recogniseFile(Uint8Array.from({ length: 512 }, (_, i) => (i % 2 === 0 ? 0x61 : 0)))).toMatchObject({
    name: 'UTF-16 text (little-endian, without a mark)',
  });
  const latin1 = Uint8Array.from('café olé\n'.repeat(20), (c) => c.charCodeAt(0));
  expect(guessFormat('menu.txt', latin1)).toEqual({ format: 'bytes', because: 'it is not text in UTF-8' });
  expect(guessFormat('menu.txt', latin1, true).format).toBe('lines');
});

test('where UTF-8 is cut changes neither the text, nor what is counted, nor the place of an error', () => {
  const read = (bytes: Uint8Array, cuts: readonly number[], encoding: 'strict' | 'lossy') => {
    const decoder = createUtf8Decoder('f', encoding);
    try {
      const parts = [0, ...cuts].map((from, i) => decoder.push(bytes.subarray(from, cuts[i] ?? bytes.length)));
      return [parts.join('') + decoder.end(), decoder.bom(), decoder.replaced()];
    } catch (error) {
      return (error as MicrogptError).message;
    }
  };
  const bytes = [...new TextEncoder().encode('\ufeffé\n\ufeff😀\n\ufffd\nb'), 0xff, 0x61];
  const damaged = Uint8Array.from(bytes);
  const sound = damaged.subarray(0, -2);
  expect(read(sound, [], 'strict')).toEqual(['é\n\ufeff😀\n\ufffd\nb', true, 0]);
  expect(read(damaged, [], 'strict')).toContain(`offset ${damaged.length - 2} (line 4)`);
  expect(read(damaged, [], 'lossy')).toEqual(['é\n\ufeff😀\n\ufffd\nb\ufffda', true, 1]);
  for (const whole of [sound, damaged])
    for (const encoding of ['strict', 'lossy'] as const)
      for (let a = 0; a <= whole.length; a++)
        for (let b = a; b <= whole.length; b++)
          expect(read(whole, [a, b], encoding)).toEqual(read(whole, [], encoding));
});
