import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testOn } from '../../test/needs.js';
import { corpusFromText } from '../data/build.js';
import type { Corpus, CorpusOptions, TextCorpus, TokenStream } from '../data/corpus.js';
import { validationBatches } from '../data/validation.js';
import { openCorpus } from './corpus.js';
import { fileColumns, sweepTokenFiles } from './token-files.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'microgpt-corpus-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (content: string | Uint8Array) => {
  const path = join(folder, 'text');
  writeFileSync(path, content);
  return path;
};
const spill = () => join(folder, 'tokens');

const documentsOf = (corpus: Corpus | TokenStream | null) =>
  corpus === null
    ? null
    : corpus.kind === 'documents'
      ? Array.from({ length: corpus.count }, (_, i) => [
          corpus.document(i),
          corpus.length(i),
          corpus.hash(i),
          corpus.number(i),
          corpus.firstTarget(i),
        ])
      : corpus.read(0, corpus.length);
const everything = (corpus: TextCorpus) => ({
  train: documentsOf(corpus.train),
  validation: documentsOf(corpus.validation),
  pieces: corpus.tokenizer.pieces,
  facts: { ...corpus.facts, sha256: null, source: '' },
});

const talk = (i: number) =>
  JSON.stringify([
    { role: 'user', content: `wie ${i % 40}? ${'é'.repeat(i % 7)}` },
    { role: 'assistant', content: `so 😀 ${(i * i) % 50}` },
  ]);
const lines = Array.from({ length: 3000 }, (_, i) => `  line ${(i * 7919) % 900} 😀é`).join('\r\n');
test.each<[string, string, CorpusOptions]>([
  ['lines', lines, { format: 'lines', heldOut: 0.1 }],
  ['lines with BOS first', lines, { format: 'lines', bosPlace: 'first' }],
  ['lines as bytes', lines, { format: 'lines', tokenizer: 'byte', heldOut: 0.1 }],
  ['few lines', 'ab\nba\nab\n', { format: 'lines', heldOut: 0.001 }],
  ['chunked', lines.repeat(3), { format: 'chunked', heldOut: 0.1 }],
  ['chat', Array.from({ length: 2000 }, (_, i) => talk(i)).join('\n'), { format: 'chat', heldOut: 0.1 }],
  ['bytes', lines, { format: 'bytes', heldOut: 0.1 }],
])('%s: from disk and from memory, the same ids, order and split', async (_, text, options) => {
  const path = put(text);
  const expected = everything(corpusFromText(text, options));
  for (const inMemory of [1e9, 0]) {
    const corpus = await openCorpus(path, { ...options, inMemory, folder: spill() });
    expect(everything(corpus)).toEqual(expected);
    expect(corpus.facts.sha256).toBe(createHash('sha256').update(text).digest('hex'));
    expect(corpus.facts.bytes).toBe(Buffer.byteLength(text));
    if (corpus.train.kind === 'documents') {
      // In any order, too, and cut.
      const { train } = corpus;
      const memory = corpusFromText(text, options).train as Corpus;
      for (let k = 0; k < 500; k++) {
        const i = (k * 7919) % train.count;
        expect(train.document(i, 4)).toEqual(memory.document(i, 4));
      }
    }
    if (corpus.validation !== null) {
      const settings = { batchSize: 4, blockSize: 16, tokens: 500 };
      const set = validationBatches(corpus.validation, corpus.tokenizer, settings)!;
      const same = validationBatches(corpusFromText(text, options).validation!, corpus.tokenizer, settings)!;
      expect(set.tokens).toBe(same.tokens);
      for (let b = 0; b < set.count; b++) expect(set.batch(b)).toEqual(same.batch(b));
    }
    corpus.close();
    corpus.close();
  }
  expect(readdirSync(folder).includes('tokens') ? readdirSync(spill()) : []).toEqual([]);
});

test('nothing is left when reading fails, and what a dead process left is removed', async () => {
  const path = put(`${'fine\n'.repeat(100)}\xff`);
  writeFileSync(path, Buffer.concat([Buffer.from('fine\n'.repeat(100)), Buffer.of(0xff)]));
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  mkdirSync(spill());
  for (const name of [
    `microgpt-${pid}-0.tokens`,
    `microgpt-${pid}-0.documents`,
    `microgpt-${process.pid}-x`,
    'other',
  ]) {
    writeFileSync(join(spill(), name), '');
  }
  await expect(openCorpus(path, { format: 'lines', inMemory: 0, folder: spill() })).rejects.toMatchObject({
    code: 'MG_DATA_UTF8',
    message: expect.stringContaining('0xFF at offset 500 (line 101)'),
  });
  expect(readdirSync(spill()).sort()).toEqual([`microgpt-${process.pid}-x`, 'other'].sort());
  if (process.platform === 'linux') {
    const openFiles = () => readdirSync('/proc/self/fd').length;
    const before = openFiles();
    for (let i = 0; i < 5; i++) {
      await openCorpus(path, { format: 'lines', inMemory: 0, folder: spill() }).catch(() => {});
      await openCorpus(path, { format: 'chunked', inMemory: 0, folder: spill() }).catch(() => {});
      (await openCorpus(path, { format: 'bytes', inMemory: i % 2 })).close();
    }
    expect(openFiles()).toBe(before);
  }
  writeFileSync(join(spill(), `microgpt-${process.pid}-999.tokens`), '');
  sweepTokenFiles(spill());
  expect(readdirSync(spill())).toContain(`microgpt-${process.pid}-999.tokens`); // this process is alive
});

testOn('Unix', 'a process that is killed leaves no token ids behind', async () => {
  const path = put('some text\n'.repeat(100_000));
  const source = new URL('../../dist/node/corpus.js', import.meta.url).href;
  const script = `import { openCorpus } from ${JSON.stringify(source)};
    const corpus = await openCorpus(process.argv[1], { format: 'lines', inMemory: 0, folder: process.argv[2] });
    process.stdout.write(corpus.tokenizer.decode(corpus.train.document(99_999).tokens));
    process.kill(process.pid, 'SIGKILL');`;
  const killed = spawnSync(process.execPath, ['--input-type=module', '-e', script, path, spill()], {
    encoding: 'utf8',
  });
  expect([killed.signal, killed.stdout]).toEqual(['SIGKILL', 'some text']);
  expect(readdirSync(spill())).toEqual([]);
});

test('a file that changes while it is read, or while it is trained on', async () => {
  const text = 'some text\n'.repeat(60_000); // three parts
  for (const change of [
    (path: string) => appendFileSync(path, 'more'),
    (path: string) => truncateSync(path, 300_000),
    (path: string) => utimesSync(path, 1, 1),
  ]) {
    const path = put(text);
    let done = false;
    const onProgress = () => {
      if (!done) change(path);
      done = true;
    };
    await expect(openCorpus(path, { format: 'lines', onProgress })).rejects.toMatchObject({ code: 'MG_DATA_CHANGED' });
  }
  const path = put(text);
  const corpus = await openCorpus(path, { format: 'bytes', inMemory: 0 });
  const stream = corpus.train as TokenStream;
  expect([...stream.read(5, 4)]).toEqual([...Buffer.from('text')]);
  appendFileSync(path, 'more');
  expect(() => stream.read(5, 4)).toThrow(expect.objectContaining({ code: 'MG_DATA_CHANGED' }));
  corpus.close();
});

test('reading can be given up', async () => {
  const path = put('some text\n'.repeat(60_000));
  const controller = new AbortController();
  const opening = openCorpus(path, {
    format: 'lines',
    signal: controller.signal,
    onProgress: () => controller.abort(),
    inMemory: 0,
    folder: spill(),
  });
  await expect(opening).rejects.toMatchObject({ name: 'AbortError' });
  expect(readdirSync(spill())).toEqual([]);
});

test('what is no readable file is refused at once', async () => {
  const refused = (path: string) => expect(openCorpus(path, { format: 'lines' })).rejects;
  await refused(join(folder, 'no')).toMatchObject({ code: 'MG_FILE_MISSING' });
  await refused(folder).toMatchObject({ code: 'MG_FILE_KIND' });
  await refused('/dev/zero').toMatchObject({ code: 'MG_FILE_KIND' });
  symlinkSync('loop', join(folder, 'loop'));
  await refused(join(folder, 'loop')).toMatchObject({ code: 'MG_FILE_READ' });
  spawnSync('mkfifo', [join(folder, 'pipe')]);
  await refused(join(folder, 'pipe')).toMatchObject({ code: 'MG_FILE_KIND' });
  if (process.getuid?.() === 0) return; // root reads everything
  const path = put('secret');
  chmodSync(path, 0);
  await refused(path).toMatchObject({ code: 'MG_FILE_READ' });
});

test('a disk without room for the token ids: said with numbers, before or while writing', async () => {
  await expect(fileColumns(spill(), 1e18)).rejects.toMatchObject({ code: 'MG_DATA_SPILL' });
  // A file that cannot grow stands in for a disk that fills up.
  const path = put('some text\n'.repeat(200_000));
  const source = new URL('../../dist/node/corpus.js', import.meta.url).href;
  const script = `import { openCorpus } from ${JSON.stringify(source)};
    process.on('SIGXFSZ', () => {});
    await openCorpus(process.argv[1], { format: 'lines', inMemory: 0, folder: process.argv[2] }).catch((e) => console.log(e.code));`;
  const { stdout } = spawnSync(
    'bash',
    ['-c', 'ulimit -f 1000; exec "$0" --input-type=module -e "$1" "$2" "$3"', process.execPath, script, path, spill()],
    { encoding: 'utf8' },
  );
  expect(stdout.trim()).toBe('MG_DATA_SPILL');
  expect(readdirSync(spill())).toEqual([]);
});
