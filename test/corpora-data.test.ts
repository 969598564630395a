// The real texts, read as training reads them.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { createPythonRandom } from '../src/base/python-random.js';
import { corpusFromText } from '../src/data/build.js';
import { type Corpus, type CorpusOptions, type TextCorpus, withinContext } from '../src/data/corpus.js';
import { guessFormat } from '../src/data/guess-format.js';
import { pythonOrder } from '../src/data/order.js';
import { openCorpus } from '../src/node/corpus.js';
import { corpusTest } from './corpora.js';
import { goldenJson } from './golden.js';

const documents = ({ train }: TextCorpus): Corpus => {
  if (train.kind !== 'documents') throw new Error('expected documents');
  return train;
};
const ids = (corpus: TextCorpus) =>
  Array.from({ length: documents(corpus).count }, (_, i) => [...documents(corpus).document(i).tokens]);
const open = (path: string, options: CorpusOptions) => openCorpus(path, options);

corpusTest('names.txt: 32,033 documents in the canonical order', 'names.txt', async (path) => {
  const corpus = await open(path, { format: 'lines' });
  const order = pythonOrder(documents(corpus).count, createPythonRandom(42));
  const recorded = goldenJson('canonical/shuffled_docs.json');
  const texts = Array.from({ length: 20 }, (_, k) =>
    corpus.tokenizer.decode(documents(corpus).document(order(k)).tokens),
  );
  expect(texts).toEqual(recorded.first_20);
  expect(corpus.facts).toMatchObject({ documents: 32_033, tokens: 196_113, longest: 17 });
  expect(corpus.tokenizer.size).toBe(27);
});

corpusTest('alice.txt: chunks as the earlier program cut them', 'alice.txt', async (path) => {
  expect(guessFormat(path, readFileSync(path)).format).toBe('chunked');
  const corpus = await open(path, { format: 'chunked' });
  // From the text itself, by the earlier program's rule: floor((characters − 128) / 64) + 1 windows.
  const text = readFileSync(path, 'utf8').split(/\s+/).filter(Boolean).join(' ');
  expect(corpus.facts.characters).toBe([...text].length);
  expect(documents(corpus).count).toBe(Math.floor(([...text].length - 128) / 64) + 1);
  expect(documents(corpus).count).toBe(2235);
  expect(corpus.tokenizer.decode(documents(corpus).document(100).tokens)).toBe([...text].slice(6400, 6528).join(''));
  expect(ids(corpus).every((tokens) => tokens.length === 130)).toBe(true);
});

corpusTest(
  'alice-bom-crlf.txt: the ids are those of the same text with LF and without BOM',
  'alice-bom-crlf.txt',
  async (path) => {
    const plain = readFileSync(path, 'utf8').slice(1).replaceAll('\r\n', '\n');
    for (const format of ['lines', 'chunked'] as const) {
      const corpus = await open(path, { format });
      expect(corpus.facts.notes[0]).toBe('a byte order mark at the start was removed');
      expect(ids(corpus)).toEqual(ids(corpusFromText(plain, { format })));
    }
    expect((await open(path, { format: 'lines' })).facts.notes[1]).toMatch(/^lines end [\d,]+ with CRLF: read as LF$/);
  },
);

corpusTest(
  'oasst1-chat.jsonl: 2,437 conversations; those without a word of the assistant are counted',
  'oasst1-chat.jsonl',
  async (path) => {
    expect(guessFormat(path, readFileSync(path).subarray(0, 65_536)).format).toBe('chat');
    const corpus = await open(path, { format: 'chat', unknown: 'error' });
    expect(corpus.facts).toMatchObject({ documents: 2437, leftOut: 0, notes: [] });
    expect(corpus.facts.alphabet).toHaveLength(449);
    expect(corpus.tokenizer.size).toBe(453);
    const leftOut = [64, 256, 1024].map((blockSize) => withinContext(documents(corpus), blockSize).leftOut);
    // Counted again, from the JSON: the first word of the assistant is at the place of BOS, role, user's text, end, role.
    const conversations = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { role: string; content: string }[]);
    const firstWord = conversations.map((turns) => {
      let place = 1;
      for (const { role, content } of turns) {
        if (role === 'assistant') return place + 1;
        place += [...content].length + 2;
      }
      return Number.POSITIVE_INFINITY;
    });
    expect(leftOut).toEqual([64, 256, 1024].map((n) => firstWord.filter((place) => place > n).length));
    console.log(`without a word of the assistant in 64, 256, 1,024 tokens: ${leftOut.join(', ')}`);
    const all = await open(path, { format: 'chat', loss: 'all' });
    expect(withinContext(documents(all), 64).leftOut).toBe(0);
  },
);

corpusTest('the-verdict.txt as bytes is the file itself', 'the-verdict.txt', async (path) => {
  const { train } = await open(path, { format: 'bytes' });
  expect(train.kind === 'stream' && Buffer.from(train.read(0, train.length)).equals(readFileSync(path))).toBe(true);
});
