import { expect, test } from 'vitest';
import { corpusFromText } from './build.js';
import { createContentHash, hashOfNumber } from './content-hash.js';
import type { Corpus, TextCorpus, TokenStream } from './corpus.js';
import { cutBy, documentLengths, duplicates } from './inspect.js';
import { validationBatches } from './validation.js';

const lines = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => `line ${((from + i) * 7919) % 5000}`);
const texts = ({ tokenizer }: TextCorpus, corpus: Corpus | TokenStream | null) => {
  if (corpus?.kind !== 'documents') throw new Error('expected documents');
  return Array.from({ length: corpus.count }, (_, i) => tokenizer.decode(corpus.document(i).tokens));
};
const split = (documents: readonly string[], heldOut: number) => {
  const corpus = corpusFromText(documents.join('\n'), { format: 'lines', heldOut });
  return { corpus, train: texts(corpus, corpus.train), validation: texts(corpus, corpus.validation) };
};

test('held out by content: near the share, equal documents together, all there in their order', () => {
  const all = [...lines(3000), ...lines(500)];
  const { train, validation, corpus } = split(all, 0.1);
  expect(validation.length / all.length).toBeGreaterThan(0.07);
  expect(validation.length / all.length).toBeLessThan(0.13);
  expect(corpus.facts).toMatchObject({ documents: 3500, heldOut: validation.length });
  const held = new Set(validation);
  expect(train.filter((text) => held.has(text))).toEqual([]);
  expect(train).toEqual(all.filter((text) => !held.has(text)));
  expect(validation).toEqual(all.filter((text) => held.has(text)));
});

test('a longer text keeps the split; so does another tokenizer, another order, and a larger share', () => {
  const before = new Set(split(lines(2000), 0.1).validation);
  const after = split(lines(3000).reverse(), 0.1);
  const old = new Set(lines(2000));
  expect(new Set(after.validation.filter((text) => old.has(text)))).toEqual(before);
  const bytes = corpusFromText(lines(2000).join('\n'), { format: 'lines', heldOut: 0.1, tokenizer: 'byte' });
  expect(new Set(texts(bytes, bytes.validation))).toEqual(before);
  const more = new Set(split(lines(2000), 0.2).validation);
  expect([...before].every((text) => more.has(text))).toBe(true);
});

test('the hash that decides is recorded: another one would let old runs validate on what they learned from', () => {
  const hash = createContentHash();
  const of = (...parts: string[]) => {
    for (const part of parts) hash.add(part);
    return hash.take();
  };
  expect([
    of('emma'),
    of(''),
    of('zoë 😀'),
    hashOfNumber(0),
    hashOfNumber(1),
    hashOfNumber(2 ** 33),
  ]).toMatchInlineSnapshot(`
    [
      7326566455710838,
      1280665975493683,
      8853151385117747,
      1266866818361057,
      3356275486051676,
      7131918654092015,
    ]
  `);
  expect(of('em', 'ma')).toBe(of('emma'));
  hash.mark(1);
  expect(of('emma')).not.toBe(of('emma'));
  const numbers = new Set(Array.from({ length: 100_000 }, (_, i) => hashOfNumber(i)));
  expect(numbers.size).toBe(100_000);
  const words = new Set(Array.from({ length: 100_000 }, (_, i) => of(`${i}`)));
  expect(words.size).toBe(100_000);
});

test('few documents: the one with the least hash, wherever it stands; where all are the same, none', () => {
  const some = ['ab', 'ba', 'abba', 'ab'];
  const { validation } = split(some, 0.001);
  expect(new Set(validation).size).toBe(1);
  expect(new Set(split([...some].reverse(), 0.001).validation)).toEqual(new Set(validation));
  // Below a share of a half there may be none or all of a few; something is left on both sides all the same.
  for (let n = 2; n < 40; n++) {
    const { train, validation: held } = split(lines(n), 0.5);
    expect(Math.min(train.length, held.length), `${n} lines`).toBeGreaterThan(0);
  }
  const same = corpusFromText('ab\nab\nab', { format: 'lines', heldOut: 0.1 });
  expect(same.validation).toBeNull();
  expect(same.facts.notes).toEqual(['all documents are the same: none is held out']);
  expect((same.train as Corpus).count).toBe(3);
});

/** A loss for each prediction, made up. */
const loss = (token: number, target: number) => ((token * 31 + target * 17) % 101) / 10;

function weighted(set: NonNullable<ReturnType<typeof validationBatches>>): number {
  let sum = 0;
  for (let b = 0; b < set.count; b++) {
    const { tokens, targets, weights } = set.batch(b);
    weights.forEach((weight, r) => {
      sum += weight * loss(tokens[r], targets[r]);
    });
  }
  return sum;
}

test('the weighted losses of all batches are the mean of what is held out, each document once', () => {
  const { corpus } = split(lines(2000), 0.1);
  const held = corpus.validation as Corpus;
  const losses: number[] = [];
  for (let i = 0; i < held.count; i++) {
    const { tokens } = held.document(i);
    for (let t = 1; t < Math.min(tokens.length, 9); t++) losses.push(loss(tokens[t - 1], tokens[t]));
  }
  const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
  for (const batchSize of [1, 7, 1000]) {
    const set = validationBatches(held, corpus.tokenizer, { batchSize, blockSize: 8 })!;
    expect(set).toMatchObject({ tokens: losses.length, documents: held.count, ofDocuments: held.count });
    expect(weighted(set)).toBeCloseTo(mean, 10);
    expect(set.batch(0)).toEqual(set.batch(0));
  }
  const whole = validationBatches(held, corpus.tokenizer, { batchSize: 8, blockSize: 64 })!;
  const characters = texts(corpus, held).join('').length;
  expect(whole).toMatchObject({ characters, tokens: characters + held.count }); // and a BOS for each document
});

test('more than the limit: a choice by content that a longer text hardly changes', () => {
  const chosen = (documents: readonly string[]) => {
    const { corpus } = split(documents, 0.5);
    const set = validationBatches(corpus.validation!, corpus.tokenizer, { batchSize: 1, blockSize: 64, tokens: 1000 })!;
    expect(set.tokens).toBeLessThanOrEqual(1000);
    expect(set.tokens).toBeGreaterThan(900);
    expect(set.documents).toBeLessThan(set.ofDocuments);
    return Array.from({ length: set.count }, (_, b) => corpus.tokenizer.decode(set.batch(b).tokens));
  };
  const before = chosen(lines(2000));
  const after = new Set(chosen(lines(2100).reverse()));
  expect(before.filter((text) => after.has(text)).length / before.length).toBeGreaterThan(0.85);
});

test('streams: each token is a target once; conversations: only what counts', () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * i) % 251);
  const { validation, tokenizer } = corpusFromText(bytes, { format: 'bytes', heldOut: 0.2 });
  const tail = [...bytes.subarray(800)];
  for (const blockSize of [1, 7, 199, 500]) {
    const set = validationBatches(validation!, tokenizer, { batchSize: 3, blockSize })!;
    expect(set.tokens).toBe(199);
    const mean = tail.slice(1).reduce((sum, target, i) => sum + loss(tail[i], target), 0) / 199;
    expect(weighted(set)).toBeCloseTo(mean, 10);
  }
  const talk = (i: number) => `[{"role":"user","content":"q${i}"},{"role":"assistant","content":"é${i}"}]`;
  const chat = corpusFromText(Array.from({ length: 100 }, (_, i) => talk(i)).join('\n'), {
    format: 'chat',
    heldOut: 0.3,
    tokenizer: 'byte',
  });
  const held = chat.validation as Corpus;
  const set = validationBatches(held, chat.tokenizer, { batchSize: 4, blockSize: 64 })!;
  const words = texts(chat, held).map((text) => text.slice(text.indexOf('é')));
  expect(set.characters).toBe(words.join('').length);
  expect(set.tokens).toBe(words.reduce((sum, word) => sum + new TextEncoder().encode(word).length + 1, 0)); // and the end of the turn
  let [sum, rows] = [0, 0];
  for (let b = 0; b < set.count; b++) {
    for (const weight of set.batch(b).weights) {
      sum += weight;
      if (weight > 0) rows++;
    }
  }
  expect(sum).toBeCloseTo(1, 10);
  expect(rows).toBe(set.tokens);
  expect(validationBatches(held, chat.tokenizer, { batchSize: 4, blockSize: 4 })).toBeNull();
});

test('a look at lengths and duplicates', () => {
  const corpus = corpusFromText('a\nbb\na\ncccc\na\n', { format: 'lines' }).train as Corpus;
  const lengths = documentLengths(corpus);
  expect(lengths).toMatchObject({ min: 1, median: 1, p90: 4, max: 4 });
  expect(duplicates(corpus)).toEqual({ count: 2, exact: true });
  expect(cutBy(lengths, 2)).toEqual({ documents: 2, tokens: 4 });
  expect(cutBy(lengths, 5)).toEqual({ documents: 0, tokens: 0 });
});
