// Hostile texts: each is answered with a typed error that says what and where, or read as it should be.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { corpusFromText } from '../src/data/build.js';
import type { Corpus, CorpusOptions } from '../src/data/corpus.js';
import { LONGEST_LINE } from '../src/data/readers.js';
import { openCorpus } from '../src/node/corpus.js';
import { createByteTokenizer } from '../src/tokenizer/byte.js';
import { createCharTokenizer } from '../src/tokenizer/char.js';
import type { Tokenizer } from '../src/tokenizer/tokenizer.js';
import { tokenizerFromJson, tokenizerToJson } from '../src/tokenizer/tokenizer-json.js';
import { temporaryFolder } from './cli.js';
import { errorOf, idsOf, LINES } from './hostile-texts.js';

const seed = Number(process.env['MG_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`MG_TEST_SEED=${seed}`);
fc.configureGlobal({ seed });

describe('D1: nothing to learn from', () => {
  test.each<[string, string, CorpusOptions, string]>([
    ['', 'MG_DATA_EMPTY', LINES, 'data/x.txt has no documents (0 bytes)'],
    ['\ufeff', 'MG_DATA_EMPTY', LINES, 'data/x.txt has no documents (3 bytes, all of them white space)'],
    ['\n\r\n\r\n', 'MG_DATA_EMPTY', LINES, 'has no documents (5 bytes'],
    [' \t \u3000 ', 'MG_DATA_EMPTY', LINES, 'has no documents'],
    ['a', 'MG_DATA_TOO_SMALL', LINES, 'holds only the character "a"'],
    ['aaa\na\n', 'MG_DATA_TOO_SMALL', LINES, 'holds only the character "a"'],
    ['', 'MG_DATA_EMPTY', { format: 'chunked' }, '0 bytes'],
    ['ab', 'MG_DATA_TOO_SMALL', { format: 'chunked' }, '2 tokens to learn from, less than one chunk of 128'],
    ['', 'MG_DATA_EMPTY', { format: 'bytes' }, '0 bytes'],
    ['aaaa', 'MG_DATA_TOO_SMALL', { format: 'bytes' }, 'holds only the byte 97'],
    ['', 'MG_DATA_EMPTY', { format: 'chat' }, '0 bytes'],
    ['[]\n[]\n', 'MG_DATA_EMPTY', { format: 'chat' }, '6 bytes'],
    ['', 'MG_DATA_EMPTY', { format: 'csv', column: 'x' }, '0 bytes'],
    ['x,y\n', 'MG_DATA_EMPTY', { format: 'csv', column: 'x' }, '4 bytes'],
  ])('%j: %s', (text, code, options, message) => {
    const error = errorOf(() => corpusFromText(text, options));
    expect(error).toMatchObject({ code, exitCode: 3 });
    expect(error.message).toContain(message);
  });
});

describe('D4: line ends, and files that are no text', () => {
  const text = 'emma\nolivia\n\nava b\nzoë';
  const expected = idsOf(corpusFromText(text, LINES));
  const mixed = text.split('\n').map((line, i) => line + ['\n', '\r\n', '\r'][i % 3]);
  test.each([
    ['CRLF', text.replaceAll('\n', '\r\n')],
    ['CR', text.replaceAll('\n', '\r')],
    ['mixed', mixed.join('')],
    ['a last line end', `${text}\n`],
    ['a byte order mark', `\ufeff${text}`],
  ])('%s: the same ids as with LF', (_, other) => {
    expect(idsOf(corpusFromText(other, LINES))).toEqual(expected);
    // Without line ends there is a difference to see.
    expect(idsOf(corpusFromText(text.replaceAll('\n', ''), LINES))).not.toEqual(expected);
  });

  const utf16 = Buffer.from(text, 'utf16le');
  const bigEndian = Buffer.from(utf16).swap16();
  test.each<[string, Buffer]>([
    ['UTF-16 text (little-endian)', Buffer.concat([Buffer.of(0xff, 0xfe), utf16])],
    ['UTF-16 text (big-endian)', Buffer.concat([Buffer.of(0xfe, 0xff), bigEndian])],
    ['UTF-16 text (little-endian, without a mark)', utf16],
    ['UTF-16 text (big-endian, without a mark)', bigEndian],
    ['UTF-32 text', Buffer.of(0xff, 0xfe, 0, 0, 0x61, 0, 0, 0)],
    ['a gzip archive', gzipSync(text)],
    ['a zip archive', Buffer.from('PK\x03\x04rest')],
    ['a PDF document', Buffer.from('%PDF-1.7\n')],
    ['a zstd archive', Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0)],
  ])('%s is called by its name', async (name, bytes) => {
    const path = join(temporaryFolder(), 'x.txt');
    writeFileSync(path, bytes);
    for (const format of ['lines', 'chunked', 'chat'] as const) {
      const opening = openCorpus(path, { format });
      await expect(opening).rejects.toMatchObject({ code: 'MG_DATA_KIND', message: expect.stringContaining(name) });
    }
    expect((await openCorpus(path, { format: 'bytes' })).facts.bytes).toBe(bytes.length);
  });

  test('valid text is never taken for something else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (random) => {
        const error = errorOf(() => {
          corpusFromText(`ab\n${random}`, LINES);
          throw new Error('fine');
        });
        expect(error.message).toBe('fine');
      }),
    );
  });
});

test('D5: a line of more than 16 MiB becomes several documents, with a note; no character is cut', () => {
  const line = `😀${'ab'.repeat(LONGEST_LINE / 2 - 2)}x😀tail`; // the second emoji lies over the border
  const corpus = corpusFromText(`short\n${line}\nend`, LINES);
  const train = corpus.train as Corpus;
  expect(corpus.facts.notes).toEqual(['line 2 is longer than 16 MiB: cut into 2 documents']);
  expect(train.count).toBe(4);
  expect(corpus.tokenizer.decode(train.document(2).tokens)).toBe('😀tail');
  expect(corpus.facts.characters).toBe('shortend'.length + [...line].length);
  expect(train.document(1, 4).tokens).toHaveLength(4);
});

test('D5: runs of white space take no more time than other text', () => {
  const timeOf = (inside: string): number => {
    const started = performance.now();
    const corpus = corpusFromText(`a${inside}b`, LINES);
    expect(corpus.facts.characters).toBe(4_000_002);
    return performance.now() - started;
  };
  const letters = timeOf('ab'.repeat(2_000_000));
  expect(timeOf(' '.repeat(4_000_000))).toBeLessThan(100 * letters); // as long; with a regular expression for the end, hours
});

describe('D7: conversations (wrong lines: src/data/corpus.test.ts)', () => {
  const say = (text: string) =>
    JSON.stringify([
      { role: 'user', content: text },
      { role: 'assistant', content: 'ok' },
    ]);
  test('a message of 10 MB is text like any other', () => {
    const { facts } = corpusFromText(say('long text '.repeat(1_000_000)), { format: 'chat' });
    expect(facts).toMatchObject({ documents: 1, characters: 10_000_002 });
  });

  test('a line of more than 16 MiB, which cannot be cut, is refused by its number', () => {
    const error = errorOf(() => corpusFromText(`${say('a')}\n${say('x'.repeat(LONGEST_LINE))}`, { format: 'chat' }));
    expect(error).toMatchObject({ code: 'MG_CHAT_LINE', message: 'the data, line 2: longer than 16 MiB' });
  });

  test('special tokens typed as text give the ids of their characters', () => {
    const typed = '<|assistant|><|end|><BOS>[BOS]\u0000';
    const corpus = corpusFromText(say(typed), { format: 'chat' });
    const ids = (idsOf(corpus) as number[][])[0];
    const { roles, bos, encode } = corpus.tokenizer;
    expect(ids).toEqual([
      bos,
      roles!.user,
      ...encode(typed).ids,
      roles!.end,
      roles!.assistant,
      ...encode('ok').ids,
      roles!.end,
      bos,
    ]);
  });
});

test('D8: words that mean something to JavaScript are words', () => {
  const words = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', 'length'];
  const corpus = corpusFromText(words.join('\n'), LINES);
  const tokenizers: Tokenizer[] = [
    corpus.tokenizer,
    createByteTokenizer(),
    tokenizerFromJson(tokenizerToJson(corpus.tokenizer)),
  ];
  for (const tokenizer of tokenizers) {
    for (const word of words) {
      const { ids, unknown } = tokenizer.encode(word);
      expect([tokenizer.decode(ids), unknown, ids.length]).toEqual([word, [], word.length]);
    }
  }
  const few = createCharTokenizer(['a', null]);
  expect(few.encode('__proto__').unknown).toEqual(['_', 'p', 'r', 'o', 't']);
  for (const column of words) {
    expect(() => corpusFromText('a,b\n1,2', { format: 'csv', column })).toThrow(
      expect.objectContaining({ code: 'MG_DATA_TABLE' }),
    );
    const table = corpusFromText(`a,${column}\n1,xy`, { format: 'csv', column });
    expect(table.facts).toMatchObject({ documents: 1, characters: 2 });
  }
});
