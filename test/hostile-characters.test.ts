// Bytes that are not UTF-8, and every character there is: refused with their place, or read and written again.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { corpusFromText } from '../src/data/build.js';
import { createUtf8Decoder } from '../src/data/utf8.js';
import { openCorpus } from '../src/node/corpus.js';
import { createByteTokenizer } from '../src/tokenizer/byte.js';
import { charTokenizerFrom } from '../src/tokenizer/char.js';
import { temporaryFolder } from './cli.js';
import { errorOf, idsOf, LINES } from './hostile-texts.js';

const seed = Number(process.env['MG_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`MG_TEST_SEED=${seed}`);
fc.configureGlobal({ seed });

const INVALID: Record<string, number[]> = {
  'a lone continuation': [0x80],
  'a long form': [0xc0, 0x80],
  'a long form of three': [0xe0, 0x80, 0x80],
  'half a surrogate pair': [0xed, 0xa0, 0x80],
  'beyond U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
  'no lead byte': [0xf5],
  'a character cut by another': [0xe2, 0x82, 0x61],
};

describe('D2: what is not UTF-8 is named with its byte, offset and line', () => {
  const place = (bytes: number[], offset: number, after: string) => {
    const line = `${'x'.repeat(79)}\n`;
    const text = line.repeat(Math.ceil(offset / 80)).slice(0, offset);
    return Buffer.concat([Buffer.from(text), Buffer.from(bytes), Buffer.from(after)]);
  };
  // The edges of the parts that a test makes (65,536), and of those that files are read in (262,144).
  const offsets = [0, 1, 65_533, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145];
  test.each(Object.entries(INVALID))('%s', async (_, bytes) => {
    const path = join(temporaryFolder(), 'x.txt');
    for (const offset of offsets) {
      for (const after of ['', 'more\n']) {
        const data = place(bytes, offset, after);
        const hex = bytes[0].toString(16).toUpperCase();
        const line = Math.floor(offset / 80) + 1;
        const expected = `invalid byte 0x${hex} at offset ${offset.toLocaleString('en')} (line ${line.toLocaleString('en')})`;
        const byParts = errorOf(() => {
          const decoder = createUtf8Decoder('x', 'strict');
          for (let at = 0; at < data.length; at += 65_536) decoder.push(data.subarray(at, at + 65_536));
          decoder.end();
        });
        expect(byParts.message).toContain(expected);
        writeFileSync(path, data);
        await expect(openCorpus(path, LINES)).rejects.toMatchObject({
          code: 'MG_DATA_UTF8',
          message: expect.stringContaining(expected),
        });
      }
    }
  });

  test('cut within a character at the end of the file', () => {
    for (const bytes of [[0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98]]) {
      expect(errorOf(() => corpusFromText(Uint8Array.from([0x61, 10, ...bytes]), LINES)).message).toContain(
        'at offset 2 (line 2)',
      );
    }
  });

  test('lossy: replaced as every decoder does, wherever it is cut, and counted; text that holds U+FFFD is not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 9 }), (random, size) => {
        const bytes = Buffer.concat([Buffer.from('é\ufffd'), random, Buffer.from('😀')]);
        const decoder = createUtf8Decoder('x', 'lossy');
        let text = '';
        for (let at = 0; at < bytes.length; at += size) text += decoder.push(bytes.subarray(at, at + size));
        text += decoder.end();
        const whole = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
        expect(text).toBe(whole);
        const valid = Buffer.from(whole).equals(bytes);
        expect(decoder.replaced() === 0).toBe(valid);
      }),
    );
    const { facts } = corpusFromText(Uint8Array.of(0x61, 0xff, 0x62, 0xc0, 0x80), { ...LINES, encoding: 'lossy' });
    expect(facts.notes).toEqual(['3 places that are not UTF-8 became U+FFFD']);
  });

  test('bytes take anything as it is', () => {
    const all = Uint8Array.from([...Object.values(INVALID).flat(), 0xff, 0xfe, 0x1f, 0x8b]);
    expect(idsOf(corpusFromText(all, { format: 'bytes' }))).toEqual([...all]);
  });
});

/** Every code point once, but for surrogates: 1,112,064 of them. */
function* codePoints(): Iterable<string> {
  for (let point = 0; point < 0x110000; point++)
    if (point < 0xd800 || point > 0xdfff) yield String.fromCodePoint(point);
}

describe('D3: every character there is', () => {
  const all = [...codePoints()];
  const STRANGE = '👩‍👩‍👧‍👦🇩🇪é\u0301\u202eשלום\u2028\u0000\u0378\u{10ffff}\ufeff\ufffd';

  test('all 1,112,064 code points, through bytes whole and streamed, and through characters in parts', () => {
    const text = all.join('');
    expect(all).toHaveLength(1_112_064);
    const bytes = createByteTokenizer('chat');
    const { ids, unknown } = bytes.encode(text);
    expect(unknown).toEqual([]);
    expect(bytes.decode(ids) === text).toBe(true);
    const stream = bytes.decoder();
    let streamed = '';
    for (const id of ids) streamed += stream.push(id);
    expect(streamed + stream.end() === text).toBe(true);
    for (let at = 0; at < all.length; at += 60_000) {
      const part = all.slice(at, at + 60_000);
      const tokenizer = charTokenizerFrom(part, at % 120_000 === 0 ? 'last' : 'chat');
      const encoded = tokenizer.encode(part.join(''));
      expect(tokenizer.decode(encoded.ids) === part.join('')).toBe(true);
      expect(new Set(encoded.ids).size).toBe(part.length);
    }
  });

  test('in a corpus of lines: each keeps its id, and comes back', () => {
    for (const tokenizer of ['char', 'byte'] as const) {
      const corpus = corpusFromText(`x${STRANGE}y\nz${STRANGE}z`, { ...LINES, tokenizer });
      const texts = (idsOf(corpus) as number[][]).map((ids) => corpus.tokenizer.decode(ids));
      expect(texts).toEqual([`x${STRANGE}y`, `z${STRANGE}z`]);
    }
  });

  test('encoding is made character by character: what is joined encodes as its parts do', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, (a, b) => {
        for (const tokenizer of [createByteTokenizer(), charTokenizerFrom([`${a}${b}x`], 'first')]) {
          expect(tokenizer.encode(a + b).ids).toEqual([...tokenizer.encode(a).ids, ...tokenizer.encode(b).ids]);
          expect(tokenizer.decode(tokenizer.encode(a + b).ids)).toBe(a + b);
        }
      }),
    );
  });

  test('more characters than a char tokenizer holds: the way out is bytes', () => {
    const expected = { code: 'MG_TOKENIZER_VOCAB', exitCode: 3 };
    expect(errorOf(() => corpusFromText(all.join(''), LINES))).toMatchObject(expected);
    const error = errorOf(() => charTokenizerFrom(all, 'last'));
    expect(error).toMatchObject(expected);
    expect(error.message).toContain('1,112,064 distinct characters, a char tokenizer holds 65,532');
    const most = all.slice(0x3001, 0x3001 + 65_532).join('');
    expect(corpusFromText(most, LINES).tokenizer.size).toBe(65_533);
    expect(corpusFromText(all.join(''), { ...LINES, tokenizer: 'byte' }).tokenizer.size).toBe(257);
  });

  test('halves of surrogate pairs, from JSON escapes, become U+FFFD and are counted', () => {
    const line = '[{"role":"user","content":"\\ud83d"},{"role":"assistant","content":"a\\ude00b"}]';
    for (const tokenizer of ['char', 'byte'] as const) {
      const corpus = corpusFromText(line, { format: 'chat', tokenizer });
      expect(corpus.tokenizer.decode((idsOf(corpus) as number[][])[0])).toBe('\ufffda\ufffdb');
      expect(corpus.facts.notes).toEqual(['2 halves of characters became U+FFFD']);
    }
  });
});
