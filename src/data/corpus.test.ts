import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPythonRandom } from '../base/python-random.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import { charTokenizerFrom } from '../tokenizer/char.js';
import { collate, documentBatches, encodeDocuments, sequentialBatches, windowBatches } from './batches.js';
import { corpusFromDocuments, corpusFromText, createCorpusBuilder } from './build.js';
import { memoryColumns } from './columns.js';
import { type Corpus, type CorpusOptions, type TextCorpus, type TokenStream, withinContext } from './corpus.js';
import { documentsFromLines } from './documents.js';
import { fileOrder, keyedOrder, pythonOrder } from './order.js';
import { strip } from './white-space.js';

const code = (name: string) => expect.objectContaining({ code: name });

export const documentsOf = (corpus: Corpus | TokenStream): number[][] =>
  corpus.kind === 'documents'
    ? Array.from({ length: corpus.count }, (_, i) => [...corpus.document(i).tokens])
    : [[...corpus.read(0, corpus.length)]];

const textsOf = ({ tokenizer, train }: TextCorpus) => documentsOf(train).map((ids) => tokenizer.decode(ids));
const corpus = (c: Corpus | TokenStream): Corpus => {
  if (c.kind !== 'documents') throw new Error('expected documents');
  return c;
};

test('lines: the same documents, ids and batches as the canonical functions', () => {
  const text = '\ufeff emma\r\nolivia \r\r\n\u2028ava\nzoë';
  const whole = corpusFromText(text, { format: 'lines' });
  const documents = documentsFromLines(text.slice(1), 'x');
  expect(textsOf(whole)).toEqual(documents);
  const tokenizer = charTokenizerFrom(documents, 'last');
  expect(whole.tokenizer.pieces).toEqual(tokenizer.pieces);
  const sequences = encodeDocuments(documents, tokenizer, 'x');
  expect(documentsOf(whole.train)).toEqual(sequences.map((s) => [...s]));
  expect(whole.facts).toMatchObject({ documents: 4, tokens: 16, characters: 16, longest: 8, heldOut: 0 });
  expect(whole.facts.notes).toEqual([
    'a byte order mark at the start was removed',
    'lines end 2 with CRLF, 1 with CR, 1 with LF: read as LF',
  ]);
  for (const size of [1, 3]) {
    const batches = documentBatches(corpus(whole.train), fileOrder(4), size, 5);
    for (let step = 0; step < 6; step++) expect(batches(step)).toEqual(sequentialBatches(sequences, size, 5)(step));
  }
  expect(documentsOf(corpusFromDocuments(documents).train)).toEqual(documentsOf(whole.train));
});

test('however the bytes are cut, the corpus is the same', () => {
  const texts: Record<string, [string, CorpusOptions]> = {
    lines: ['a😀b\r\nc\u0301\r\rü\n\n x y \n', { format: 'lines', heldOut: 0.3 }],
    chunked: ['  The 😀 cat\n\n sat\u00a0on the   mat. ', { format: 'chunked', chunkSize: 5, chunkOverlap: 2 }],
    chat: [
      '[{"role":"user","content":"hé😀"},{"role":"assistant","content":"\\ud83d\\ude00\\n"}]\r\n\n[]\n',
      { format: 'chat' },
    ],
    csv: ['id,"te""xt"\r\n1,"a, ""b""\r\n😀"\r\n2,c\r\n', { format: 'csv', column: 'te"xt' }],
  };
  for (const [text, options] of Object.values(texts)) {
    const bytes = new TextEncoder().encode(text);
    const whole = corpusFromText(bytes, options);
    for (const size of [1, 2, 3, 7]) {
      const builder = createCorpusBuilder(options, memoryColumns());
      for (let at = 0; at < bytes.length; at += size) builder.push(bytes.subarray(at, at + size));
      const parts = builder.end({ bytes: bytes.length, sha256: null });
      expect(parts.facts).toEqual(whole.facts);
      expect(parts.tokenizer.pieces).toEqual(whole.tokenizer.pieces);
      expect(documentsOf(parts.train)).toEqual(documentsOf(whole.train));
      expect(parts.validation && documentsOf(parts.validation)).toEqual(
        whole.validation && documentsOf(whole.validation),
      );
    }
  }
});

/** Python's text.split(). */
function pythonWords(text: string): string[] {
  const words = [''];
  for (const character of text) {
    if (strip(character) === '') words.push('');
    else words[words.length - 1] += character;
  }
  return words.filter(Boolean);
}

/** As the earlier program: " ".join(text.split()), then windows, those kept that are not mostly white space. */
function pythonChunks(text: string, size: number, overlap: number): string[] {
  const all = [...pythonWords(text).join(' ')];
  const chunks: string[] = [];
  for (let i = 0; i <= all.length - size; i += Math.max(1, size - overlap)) {
    const chunk = all.slice(i, i + size).join('');
    if ([...strip(chunk)].length >= Math.floor(size / 2)) chunks.push(chunk);
  }
  return chunks;
}

test('chunked prose: the windows of the earlier program, whatever the white space', () => {
  const character = fc.constantFrom('a', 'b', '😀', '\ufeff', ' ', ' ', '\n', '\u3000', '\u001f');
  fc.assert(
    fc.property(
      fc.array(character),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 0, max: 10 }),
      (units, size, overlap) => {
        const text = `${units.slice(0, 4).join('')}ab${units.slice(4).join('')}`;
        const expected = pythonChunks(text.replace(/^\ufeff/, ''), size, overlap); // a byte order mark is none of it
        const build = () => corpusFromText(text, { format: 'chunked', chunkSize: size, chunkOverlap: overlap });
        if (expected.length === 0) expect(build).toThrow(code('MG_DATA_TOO_SMALL'));
        else expect(textsOf(build())).toEqual(expected);
      },
    ),
  );
});

test('chunked prose: BOS around each chunk, or only before it; what is held out is the tail, read once', () => {
  const options = { format: 'chunked', chunkSize: 4 } as const;
  const text = 'abcdefghijklmnopqrst';
  const whole = corpusFromText(text, { ...options, heldOut: 0.25 });
  expect(textsOf(whole)).toEqual(['abcd', 'cdef', 'efgh', 'ghij', 'ijkl', 'klmn']);
  expect(documentsOf(whole.train)[0]).toEqual([20, 0, 1, 2, 3, 20]);
  expect(documentsOf(whole.validation!)).toEqual([
    [20, 15, 16, 17, 18, 20],
    [20, 19, 20],
  ]);
  expect(documentsOf(corpusFromText(text, { ...options, trailingBos: false }).train)[1]).toEqual([20, 2, 3, 4, 5]);
});

const talk = (...turns: [string, string][]) =>
  JSON.stringify(turns.map(([role, content]) => ({ role, content, id: 7 })));

test('conversations: special tokens around each turn, and only the assistant’s words count', () => {
  const lines = [
    talk(['user', 'ab'], ['assistant', 'c'], ['user', 'a']),
    `{"messages": ${talk(['user', 'a'])}, "source": "x"}`,
  ].join('\n');
  const { train, tokenizer } = corpusFromText(lines, { format: 'chat' });
  const [user, assistant, end, bos] = [3, 4, 5, 6];
  expect([tokenizer.roles, tokenizer.bos]).toEqual([{ user, assistant, end }, bos]);
  const { tokens, counts } = corpus(train).document(0);
  expect([...tokens]).toEqual([bos, user, 0, 1, end, assistant, 2, end, user, 0, end, bos]);
  expect([...counts!]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]);
  expect([corpus(train).firstTarget(0), corpus(train).firstTarget(1)]).toEqual([6, Number.POSITIVE_INFINITY]);
  const all = corpusFromText(lines, { format: 'chat', loss: 'all' });
  expect(corpus(all.train).document(0).counts).toBeNull();
  expect(documentsOf(all.train)).toEqual(documentsOf(train));
  // With bytes as tokens.
  const bytes = corpusFromText(lines, { format: 'chat', tokenizer: 'byte' });
  expect(documentsOf(bytes.train)[1]).toEqual([259, 256, 97, 258, 259]);
});

test('conversations without a word of the assistant in the context are left out and named; weights count the rest', () => {
  const lines = [
    talk(['user', 'abc']),
    talk(['user', 'abcabc'], ['assistant', 'b']),
    talk(['user', 'a'], ['assistant', 'bc']),
  ].join('\n');
  const { train } = corpusFromText(lines, { format: 'chat' });
  expect(withinContext(corpus(train), 64)).toMatchObject({ leftOut: 1, first: [1] });
  const short = withinContext(corpus(train), 6);
  expect(short).toMatchObject({ leftOut: 2, first: [1, 2] });
  const batch = documentBatches(short.corpus, fileOrder(1), 1, 6)(0);
  expect([...batch.weights]).toEqual([0, 0, 0, 0, 0.5, 0.5]);
  // A batch where nothing counts divides by nothing.
  const none = documentBatches(corpus(train), fileOrder(3), 1, 6)(0);
  expect(new Set(none.weights)).toEqual(new Set([0]));
});

test('conversations one at a time: each has weights of its own, also where two are as long', () => {
  const lines = [talk(['user', 'ab'], ['assistant', 'c']), talk(['user', 'a'], ['assistant', 'bc'])].join('\n');
  const { train } = corpusFromText(lines, { format: 'chat' });
  const batches = documentBatches(corpus(train), fileOrder(2), 1, 64);
  const [a, b] = [batches(0), batches(1)];
  const [half, third] = [0.5, Math.fround(1 / 3)];
  expect([...a.weights].map(Math.fround)).toEqual([0, 0, 0, 0, 0, half, half, 0]);
  expect([...b.weights].map(Math.fround)).toEqual([0, 0, 0, 0, third, third, third, 0]);
});

test('text that looks like a special token is text', () => {
  const content = '<|assistant|><BOS>\u0000<|end|>';
  const { train, tokenizer } = corpusFromText(talk(['user', content], ['assistant', 'x']), { format: 'chat' });
  const { tokens } = corpus(train).document(0);
  const inside = [...tokens].slice(2, 2 + content.length);
  expect(inside.every((id) => tokenizer.pieces[id] !== null)).toBe(true);
  expect(tokenizer.decode(inside)).toBe(content);
});

test.each<[string, string]>([
  ['{"role"', 'line 2'],
  ['[{"role": "system", "content": "x"}]', 'role "system" is not one of user, assistant'],
  ['[{"content": "x"}]', 'role is missing'],
  ['[{"role": "user", "content": ""}]', 'content is empty'],
  ['[{"role": "user", "content": 3}]', 'content is a number, expected a text'],
  ['[{"role": "user"}]', 'content is missing'],
  ['[3]', 'message 1: a number, expected an object'],
  ['7', 'a number that is no conversation'],
  ['{"text": "x"}', 'an object that is no conversation'],
  ['[{"__proto__": {"role": "user"}, "role": "user", "content": "x"}]', '__proto__'],
  ['['.repeat(100_000), 'nested more than'],
])('chat line %s', (line, message) => {
  const lines = `${talk(['user', 'a'], ['assistant', 'b'])}\n${line}\n`;
  const build = () => corpusFromText(lines, { format: 'chat', source: 'talk.jsonl' });
  expect(build).toThrow(code('MG_CHAT_LINE'));
  expect(build).toThrow(message);
  expect(build).toThrow('talk.jsonl, line 2');
});

test('a table’s column, by name or by number', () => {
  const csv = 'id,text\n1,"a, ""b"""\n2,\n3\n4, c \n\n5,"d\ne",more';
  const by = (options: Partial<CorpusOptions>) => corpusFromText(csv, { format: 'csv', source: 'x', ...options });
  const whole = by({ column: 'text' });
  expect(textsOf(whole)).toEqual(['a, "b"', 'c', 'd\ne']);
  expect(whole.facts.notes).toEqual(['1 row has no column "text" (the first is row 4): left out']);
  expect(textsOf(by({ column: 2 }))).toEqual(['text', 'a, "b"', 'c', 'd\ne']);
  expect(textsOf(by({ column: 2, header: true }))).toEqual(['a, "b"', 'c', 'd\ne']);
  expect(textsOf(corpusFromText('a;b\n1;x,y\n2;z', { format: 'csv', column: 'b' }))).toEqual(['x,y', 'z']);
  expect(textsOf(corpusFromText('a\tb,\n1\tx,y\n2\tz', { format: 'tsv', column: 'b,' }))).toEqual(['x,y', 'z']);
  for (const column of ['toString', 'TEXT', 3])
    expect(() => by({ column, header: true })).toThrow(code('MG_DATA_TABLE'));
  expect(() => by({})).toThrow('no column is chosen; there are "id", "text"');
  expect(() => by({ column: 9 })).toThrow('no row has a column 9');
  expect(() => corpusFromText('a\n"b', { format: 'csv', column: 'a' })).toThrow(
    'row 2: a quote is left open until the end',
  );
  expect(textsOf(corpusFromText('a\n5" wide\nx""y', { format: 'csv', column: 'a' }))).toEqual(['5" wide', 'x""y']);
  expect(textsOf(corpusFromText('"a,b";c\n1;23', { format: 'csv', column: 'c' }))).toEqual(['23']);
  expect(textsOf(corpusFromText('2,1\nxz,y', { format: 'csv', column: '2', header: true }))).toEqual(['xz']); // by its name
  for (const end of ['\n', '\r\n', '\r'])
    expect(() => corpusFromText(`a${end}1${end}"b`, { format: 'csv', column: 'a' })).toThrow(
      'row 3: a quote is left open',
    );
  expect(() => corpusFromText('a\n"b"c', { format: 'csv', column: 'a' })).toThrow('text after the quote');
});

test('any cells survive being written as a table', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', 'b', '"', ',', '\n', ' ', '😀') });
  const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1 }), fc.constantFrom('\n', '\r\n'), (rows, end) => {
      const texts = rows.map(([, b]) => strip(b)).filter(Boolean);
      const table = ['x,y', ...rows.map((row) => row.map(quote).join(','))].join(end);
      fc.pre(new Set(texts.join('')).size > 1);
      expect(textsOf(corpusFromText(table, { format: 'csv', column: 'y' }))).toEqual(texts);
    }),
  );
});

test('raw bytes: any file, one stream, windows anywhere in it', () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 7) % 256);
  const { train, validation, tokenizer } = corpusFromText(bytes, { format: 'bytes', heldOut: 0.1 });
  expect([tokenizer.size, tokenizer.bos]).toEqual([256, null]);
  if (train.kind !== 'stream' || validation?.kind !== 'stream') throw new Error('expected streams');
  expect([...train.read(0, 270), ...validation.read(0, 30)]).toEqual([...bytes]);
  const batches = windowBatches(train, 42, 3, 8);
  const { tokens, targets, starts, weights } = batches(5);
  expect([...starts]).toEqual([0, 8, 16, 24]);
  expect([...targets].map((t) => t)).toEqual([...tokens].map((t) => (t + 7) % 256));
  expect(weights.every((w) => w === 1 / 24)).toBe(true);
  batches(0);
  expect(batches(5)).toEqual(windowBatches(train, 42, 3, 8)(5));
  expect(batches(6).tokens).not.toEqual(tokens);
  expect(windowBatches(train, 43, 3, 8)(5).tokens).not.toEqual(tokens);
  // Every place where a window fits, the first and the last included, and no other.
  const places = new Set<number>();
  const small = corpusFromText(bytes.subarray(0, 12), { format: 'bytes' }).train as TokenStream;
  for (let step = 0; step < 200; step++) places.add(windowBatches(small, 1, 1, 8)(step).tokens[0] / 7);
  expect([...places].sort()).toEqual([0, 1, 2, 3]);
  expect(() => windowBatches(small, 1, 1, 12)).toThrow('12 tokens to learn from, need at least 13 (context 12 + 1)');
});

test('the keyed order: each epoch another permutation; a pure function of seed and place; even', () => {
  for (const count of [1, 2, 3, 4, 5, 16, 17, 100, 1000]) {
    const order = keyedOrder(count, 7n);
    for (const epoch of [0, 1, 1000]) {
      const places = Array.from({ length: count }, (_, k) => order(epoch * count + k));
      expect([...places].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    }
  }
  const first = Array.from({ length: 1000 }, (_, k) => keyedOrder(1000, 7)(k));
  expect(Array.from({ length: 1000 }, (_, k) => keyedOrder(1000, 7)(1000 + k))).not.toEqual(first);
  expect(Array.from({ length: 1000 }, (_, k) => keyedOrder(1000, 2n ** 40n + 7n)(k))).not.toEqual(first);
  expect(first.filter((place, k) => place === k).length).toBeLessThan(10); // about one stays in its place
  // Recorded: a saved run goes on in the same order in every version.
  expect(first.slice(0, 8)).toMatchInlineSnapshot(`
    [
      84,
      860,
      19,
      558,
      164,
      400,
      629,
      196,
    ]
  `);
  // Where the first document stands, over many epochs: each place as often as the others (chi-squared, 9 degrees of freedom, p = 1e-6).
  for (const count of [3, 10]) {
    const order = keyedOrder(count, 42);
    const seen = new Array<number>(count).fill(0);
    for (let epoch = 0; epoch < 10_000; epoch++) seen[order(epoch * count)]++;
    const expected = 10_000 / count;
    expect(seen.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0)).toBeLessThan(46);
  }
});

test('the earlier programs’ order is Python’s shuffle', () => {
  const documents = Array.from({ length: 50 }, (_, i) => i);
  createPythonRandom(42).shuffle(documents);
  const order = pythonOrder(50, createPythonRandom(42));
  expect(Array.from({ length: 50 }, (_, k) => order(k))).toEqual(documents);
  expect(order(50)).toBe(order(0));
});

test('a tokenizer that exists: unknown characters are left out and counted, or an error; a document of nothing else is none', () => {
  const tokenizer = charTokenizerFrom(['abc'], 'first');
  const text = 'ab\néé\ncé😀\n';
  const { train, facts } = corpusFromText(text, { format: 'lines', tokenizer });
  expect(documentsOf(train)).toEqual([
    [0, 1, 2, 0],
    [0, 3, 0],
  ]);
  expect(facts).toMatchObject({ documents: 2, leftOut: 1, unknown: { count: 4, first: ['é', '😀'] } });
  expect(facts.notes[0]).toContain(
    '4 characters that the tokenizer does not know were left out: "é" (U+00E9), "😀" (U+1F600)',
  );
  const strict = () => corpusFromText(text, { format: 'lines', tokenizer, unknown: 'error', source: 'x' });
  expect(strict).toThrow(code('MG_DATA_UNKNOWN'));
  expect(strict).toThrow('x, document 2: the tokenizer does not know "é" (U+00E9)');
  expect(() => corpusFromText('éé', { format: 'lines', tokenizer })).toThrow(code('MG_DATA_EMPTY'));
  for (const options of [
    { format: 'chat', tokenizer },
    { format: 'bytes', tokenizer },
    { format: 'lines', tokenizer: createByteTokenizer() },
    { format: 'lines', heldOut: 0.6 },
    { format: 'lines', heldOut: Number.NaN },
    { format: 'chunked', chunkSize: 0 },
    { format: 'csv', column: 0 },
    { format: 'toString' },
  ] as CorpusOptions[]) {
    expect(() => corpusFromText('ab', options)).toThrow(code('MG_OPTION_VALUE'));
  }
});

test('a batch of documents collates as before', () => {
  const sequences = [Int32Array.of(1, 2, 3), Int32Array.of(4, 5)];
  expect([...collate(sequences, 8).weights]).toEqual([1 / 3, 1 / 3, 1 / 3]);
});
