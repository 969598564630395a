// Hostile texts and downloads: each is answered with a typed error that says what and where, or read as it should be.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { MicrogptError } from '../src/base/errors.js';
import { corpusFromText } from '../src/data/build.js';
import type { Corpus, CorpusOptions, TextCorpus } from '../src/data/corpus.js';
import { LONGEST_LINE } from '../src/data/readers.js';
import { createUtf8Decoder } from '../src/data/utf8.js';
import { DOWNLOADS, type Download, fetchCorpus } from '../src/node/corpora.js';
import { openCorpus } from '../src/node/corpus.js';
import { isPrivate } from '../src/node/download.js';
import { createByteTokenizer } from '../src/tokenizer/byte.js';
import { charTokenizerFrom, createCharTokenizer } from '../src/tokenizer/char.js';
import type { Tokenizer } from '../src/tokenizer/tokenizer.js';
import { tokenizerFromJson, tokenizerToJson } from '../src/tokenizer/tokenizer-json.js';
import { microgpt, temporaryFolder } from './cli.js';

const seed = Number(process.env['MG_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`MG_TEST_SEED=${seed}`);
fc.configureGlobal({ seed });

const LINES: CorpusOptions = { format: 'lines', source: 'data/x.txt' };
function errorOf(run: () => unknown): Pick<MicrogptError, 'code' | 'message' | 'exitCode'> {
  try {
    run();
  } catch (error) {
    const { code, message, exitCode } = error as MicrogptError;
    return { code, message, exitCode };
  }
  throw new Error('nothing was thrown');
}
const idsOf = ({ train }: TextCorpus) =>
  train.kind === 'documents'
    ? Array.from({ length: train.count }, (_, i) => [...train.document(i).tokens])
    : [...train.read(0, train.length)];

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
  const started = performance.now();
  const corpus = corpusFromText(`a${' '.repeat(4_000_000)}b`, LINES);
  expect(corpus.facts.characters).toBe(4_000_002);
  expect(performance.now() - started).toBeLessThan(20_000); // a second; with a regular expression for the end, hours
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

describe('D9: downloads', () => {
  /** A server on this machine; gives its address. */
  async function serve(answer: RequestListener): Promise<string> {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/text`;
  }
  const open: Download = { ...DOWNLOADS[0], name: 'open', sha256: null, bytes: 1000 };
  const serveText = (text: string) => serve((_, response) => void response.end(text));

  test('the sha256 of the first download is kept beside it, and decides about the next', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'open.txt');
    const url = await serveText('one text');
    expect(await fetchCorpus(open, { url, folder })).toMatchObject({ path, cached: false });
    const sha256 = createHash('sha256').update('one text').digest('hex');
    expect(readFileSync(`${path}.sha256`, 'utf8')).toBe(`${sha256}  open.txt\n`);
    expect(await fetchCorpus(open, { url: 'http://127.0.0.1:1/', folder })).toMatchObject({ cached: true, sha256 });
    // Someone changed the file: it is fetched again, and must be what it was.
    writeFileSync(path, 'changed');
    const other = { url: await serveText('another'), folder };
    await expect(fetchCorpus(open, other)).rejects.toMatchObject({ code: 'MG_DOWNLOAD_HASH' });
    expect(readFileSync(path, 'utf8')).toBe('changed');
    expect(await fetchCorpus(open, { url, folder })).toMatchObject({ cached: false, sha256 });
    expect(readFileSync(path, 'utf8')).toBe('one text');
    expect(readdirSync(folder).sort()).toEqual(['open.txt', 'open.txt.sha256']);
  });

  test('without network it says where to put the file by hand, and then takes it', async () => {
    const folder = temporaryFolder();
    const offline = { url: 'http://127.0.0.1:1/', folder };
    await expect(fetchCorpus(open, offline)).rejects.toMatchObject({
      code: 'MG_DOWNLOAD_FAILED',
      remedy: expect.stringContaining(join(folder, 'open.txt')),
    });
    writeFileSync(join(folder, 'open.txt'), 'by hand');
    expect(await fetchCorpus(open, offline)).toMatchObject({ cached: true });
    expect(readdirSync(folder)).toContain('open.txt.sha256');
  });

  test.each([
    ['file:///etc/passwd', 'not https'],
    ['http://example.com/x', 'not https'],
    ['/elsewhere', 'not https'], // the same server, which is not https either
    ['https://127.0.0.1/x', 'private network'],
    ['https://localhost/x', 'private network'],
    ['https://10.1.2.3/x', 'private network'],
    ['https://[::1]/x', 'private network'],
    ['https://[::ffff:192.168.0.1]/x', 'private network'],
    ['https://2130706433/x', 'private network'], // 127.0.0.1 as one number
    ['https://169.254.169.254/latest/meta-data', 'private network'],
    ['https://', 'no address'],
  ])('a redirect to %s is not followed', async (location, why) => {
    const folder = temporaryFolder();
    const asked: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      asked.push(request.url);
      response.writeHead(302, { location }).end();
    });
    await expect(fetchCorpus(open, { url, folder })).rejects.toMatchObject({
      code: 'MG_DOWNLOAD_FAILED',
      message: expect.stringContaining(why),
    });
    expect(asked).toEqual(['/text']);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('addresses in private networks are known in any spelling', () => {
    for (const address of [
      '127.9.9.9',
      '0.0.0.0',
      '172.31.0.1',
      '100.64.0.1',
      '224.0.0.1',
      '::',
      'fe80::1',
      'fd00::1',
      '::ffff:7f00:1',
      '64:ff9b::7f00:1',
    ]) {
      expect(isPrivate(address), address).toBe(true);
    }
    for (const address of ['1.1.1.1', '172.32.0.1', '185.199.108.133', '2606:50c0:8000::154', '::ffff:101:101']) {
      expect(isPrivate(address), address).toBe(false);
    }
  });

  test('ten times the size, and a connection that is cut: refused, and nothing is kept', async () => {
    const folder = temporaryFolder();
    const endless = await serve((_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(1000)));
      };
      response.on('drain', more).on('error', () => {});
      more();
    });
    await expect(fetchCorpus(open, { url: endless, folder })).rejects.toMatchObject({
      code: 'MG_DOWNLOAD_FAILED',
      message: expect.stringContaining('more than the 1,000 bytes that it may have'),
    });
    await expect(fetchCorpus({ ...open, sha256: '0'.repeat(64) }, { url: endless, folder })).rejects.toMatchObject({
      code: 'MG_DOWNLOAD_HASH',
    });
    const cut = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '900' });
      response.write('half');
      setTimeout(() => response.destroy(), 20);
    });
    await expect(fetchCorpus(open, { url: cut, folder })).rejects.toMatchObject({ code: 'MG_DOWNLOAD_FAILED' });
    const pinned = { ...open, sha256: '0'.repeat(64) };
    await expect(fetchCorpus(pinned, { url: await serveText('x'), folder })).rejects.toMatchObject({
      code: 'MG_DOWNLOAD_HASH',
    });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('microgpt data inspect', () => {
  const files: Record<string, string | Buffer> = {
    'pets.txt': `${['rex', 'bella', 'milo', 'luna', 'rex'].join('\r\n')}\r\n`,
    'book.txt': `${'It was a long and very ordinary sentence.\nIt went on here.\n\n'.repeat(20)}`,
    'talk.jsonl':
      '[{"role":"user","content":"hi there"},{"role":"assistant","content":"yes"}]\n[{"role":"user","content":"ab"}]\n',
    'rows.csv': 'id,text\n1,one\n2,"two, too"\n',
    'packed.txt': gzipSync('hello'),
  };
  const inspect = async (...args: string[]) => {
    const cwd = temporaryFolder();
    mkdirSync(cwd, { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content);
    return microgpt(['data', 'inspect', ...args], { cwd });
  };

  test('lines: what is in them, what repeats, what is cut', async () => {
    const { code, stdout, stderr } = await inspect('pets.txt', '--block-size', '4');
    expect(code).toBe(0);
    expect(stderr).toContain('note: read as lines: its lines are short');
    expect(stderr).toContain('note: lines end 5 with CRLF: read as LF');
    expect(stdout).toMatch(/documents +5\n/);
    expect(stdout).toMatch(/lengths +3 to 5 tokens, median 4, 90 % up to 5\n/);
    expect(stdout).toMatch(/duplicates +1\n/);
    expect(stdout).toMatch(/context 4 +cuts 3 documents \(60.0 %\), 4 tokens in all\n/);
    expect(stdout).toMatch(/train takes +\d+ layers?, \d+ wide, \d heads, context 8: [\d,]+ parameters/);
    expect(stdout).toMatch(/rare characters +\d+: "\w" ×1/);
  });

  test('formats are guessed, and said; JSON has the same facts', async () => {
    const facts = async (...args: string[]) => JSON.parse((await inspect(...args, '--json')).stdout);
    expect(await facts('book.txt')).toMatchObject({ format: 'chunked', guessed: true, suggested: { blockSize: 64 } });
    const talk = await facts('talk.jsonl', '--block-size', '8');
    expect(talk).toMatchObject({
      format: 'chat',
      documents: 2,
      context: { blockSize: 8, withoutAssistant: 2, first: [1, 2] },
    });
    expect(await facts('rows.csv', '--column', 'text')).toMatchObject({
      format: 'csv',
      documents: 2,
      lengths: { min: 3, max: 8 },
    });
    expect(await facts('packed.txt', '--format', 'bytes')).toMatchObject({
      format: 'bytes',
      guessed: false,
      lengths: null,
    });
  });

  test('files that cannot be read are refused as training refuses them', async () => {
    expect(await inspect('packed.txt')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('error MG_DATA_KIND: packed.txt is a gzip archive'),
    });
    expect(await inspect('rows.csv', '--column', 'no')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('error MG_DATA_TABLE'),
    });
    expect(await inspect('nowhere.txt')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('error MG_FILE_MISSING'),
    });
    expect(await inspect('pets.txt', '--format', 'toString')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('error MG_CLI_VALUE'),
    });
  });
});
