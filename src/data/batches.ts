/**
 * Batches as a pure function of (corpus, step): nothing to remember between steps, so nothing to restore when a run goes on.
 * Refuses to know: characters and models. Invariant: batch(step) is the same whenever and however often it is asked for.
 */
import { count, counted } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { Corpus, EncodedDocument, TokenStream } from './corpus.js';
import { type Order, windowStart } from './order.js';

/** B sequences of tokens one after the other without gaps, R rows in all, and what should follow each token. */
export interface Batch {
  readonly tokens: Int32Array; // [R]
  /** The place of each token in its sequence. */
  readonly positions: Int32Array; // [R]
  readonly targets: Int32Array; // [R]
  /** How much each row counts in the loss: 1/R for a plain mean, 0 for rows that do not count. */
  readonly weights: Float64Array; // [R]
  /** Sequence b is rows starts[b] … starts[b+1] − 1. */
  readonly starts: Int32Array; // [B+1]
}

/** Batch number `step`, from 0: the same for the same step, whatever was asked before. */
export type Batches = (step: number) => Batch;

/**
 * Documents as token ids between two BOS.
 * @throws MG_DATA_TOO_SMALL when there is only one kind of character, so that there is nothing to predict.
 */
export function encodeDocuments(documents: readonly string[], tokenizer: Tokenizer, source: string): Int32Array[] {
  const distinct = new Set<string>();
  for (const document of documents) {
    for (const character of document) distinct.add(character);
    if (distinct.size > 1) break;
  }
  if (distinct.size < 2) {
    throw new MicrogptError(
      'MG_DATA_TOO_SMALL',
      `${source} holds only the character ${JSON.stringify([...distinct].join(''))}: there is nothing to predict`,
      'give a text file with one example per line, the more the better',
    );
  }
  const { bos } = tokenizer;
  return documents.map((document) => Int32Array.from([bos, ...tokenizer.encode(document).ids, bos]));
}

/** The documents in their given order, `size` a step, from the start again when they run out; each cut to `blockSize` predictions. */
export function sequentialBatches(sequences: readonly Int32Array[], size: number, blockSize: number): Batches {
  const { length } = sequences;
  return batchesOf((k) => ({ tokens: sequences[k % length], counts: null }), size, blockSize);
}

/** Step s learns from the documents at places s·size … of the order, each cut to `blockSize` predictions. */
export function documentBatches(corpus: Corpus, order: Order, size: number, blockSize: number): Batches {
  return batchesOf((k) => corpus.document(order(k), blockSize + 1), size, blockSize);
}

/**
 * Step s learns from `size` windows of the stream, each starting anywhere.
 * @throws MG_DATA_TOO_SMALL when the stream holds no whole window.
 */
export function windowBatches(stream: TokenStream, seed: number | bigint, size: number, blockSize: number): Batches {
  const span = blockSize + 1;
  if (stream.length < span) {
    throw new MicrogptError(
      'MG_DATA_TOO_SMALL',
      `${counted(stream.length, 'token')} to learn from, need at least ${count(span)} (context ${blockSize} + 1)`,
      'use a longer text or a shorter context',
    );
  }
  const startOf = windowStart(seed, stream.length - blockSize);
  return batchesOf(
    (k) => ({ tokens: stream.read(startOf(Math.floor(k / size), k % size), span), counts: null }),
    size,
    blockSize,
  );
}

function batchesOf(document: (k: number) => EncodedDocument, size: number, blockSize: number): Batches {
  if (size === 1) return oneByOne(document, blockSize);
  return (step) =>
    collateDocuments(
      Array.from({ length: size }, (_, i) => document(step * size + i)),
      blockSize,
    );
}

/** Batches of one: views of the document, and for the rest arrays that all documents of a length share. Small models feel the difference. */
function oneByOne(document: (k: number) => EncodedDocument, blockSize: number): Batches {
  const frames = new Map<number, Pick<Batch, 'positions' | 'weights' | 'starts'>>();
  return (step) => {
    const one = document(step);
    if (one.counts !== null) return collateDocuments([one], blockSize);
    const { tokens } = one;
    const rows = Math.min(blockSize, tokens.length - 1);
    let frame = frames.get(rows);
    if (frame === undefined) {
      const { positions, weights, starts } = collateDocuments([one], blockSize);
      frame = { positions, weights, starts };
      frames.set(rows, frame);
    }
    const { positions, weights, starts } = frame;
    return { tokens: tokens.subarray(0, rows), positions, targets: tokens.subarray(1, rows + 1), weights, starts };
  };
}

/**
 * A batch in n parts of whole sequences, as even in their number as can be; fewer parts where there are fewer sequences. Rows keep their
 * weights, so the losses and gradients of the parts add up to those of the batch. A pure function of n and the batch's shape.
 */
export function splitBatch(batch: Batch, n: number): Batch[] {
  const sequences = batch.starts.length - 1;
  const count = Math.min(n, sequences);
  return Array.from({ length: count }, (_, part) => {
    const first = Math.floor((part * sequences) / count);
    const last = Math.floor(((part + 1) * sequences) / count);
    const [from, to] = [batch.starts[first], batch.starts[last]];
    return {
      tokens: batch.tokens.subarray(from, to),
      positions: batch.positions.subarray(from, to),
      targets: batch.targets.subarray(from, to),
      weights: batch.weights.subarray(from, to),
      starts: batch.starts.slice(first, last + 1).map((start) => start - from),
    };
  });
}

/** Puts sequences one after the other. Each predicts its tokens 1 … min(blockSize, length − 1). */
export function collate(sequences: readonly Int32Array[], blockSize: number): Batch {
  return collateDocuments(
    sequences.map((tokens) => ({ tokens, counts: null })),
    blockSize,
  );
}

/**
 * The same for documents of which not every target counts. Weights of the rows that count are equal and sum to 1, or each is `weight`;
 * where no row counts, all weights are 0.
 */
export function collateDocuments(documents: readonly EncodedDocument[], blockSize: number, weight?: number): Batch {
  const starts = new Int32Array(documents.length + 1);
  documents.forEach(({ tokens }, b) => {
    starts[b + 1] = starts[b] + Math.min(blockSize, tokens.length - 1);
  });
  const rows = starts[documents.length];
  const tokens = new Int32Array(rows);
  const positions = new Int32Array(rows);
  const targets = new Int32Array(rows);
  const weights = new Float64Array(rows);
  let counting = 0;
  documents.forEach((example, b) => {
    for (let r = starts[b], t = 0; r < starts[b + 1]; r++, t++) {
      tokens[r] = example.tokens[t];
      positions[r] = t;
      targets[r] = example.tokens[t + 1];
      if (example.counts !== null && example.counts[t + 1] === 0) continue;
      weights[r] = 1;
      counting++;
    }
  });
  const each = weight ?? 1 / Math.max(1, counting);
  for (let r = 0; r < rows; r++) weights[r] *= each;
  return { tokens, positions, targets, weights, starts };
}
