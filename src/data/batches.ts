/**
 * Batches as a pure function of (corpus, step): nothing to remember between steps, so nothing to restore when a run goes on.
 * Refuses to know: characters and models. Invariant: batch(step) is the same whenever and however often it is asked for.
 */
import { MicrogptError } from '../base/errors.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** Rows of tokens and what should follow each. Shorter sequences are filled up with rows of weight 0. */
export interface Batch {
  /** B sequences of T tokens. */
  readonly size: number;
  readonly time: number;
  readonly tokens: Int32Array; // [B·T]
  readonly targets: Int32Array; // [B·T]
  /** How much each row counts in the loss: 1/(number of real rows), or 0. */
  readonly weights: Float64Array; // [B·T]
  /** Number of real rows. */
  readonly predictions: number;
}

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
  return (step) => {
    const first = (step * size) % sequences.length;
    const chosen = Array.from({ length: size }, (_, i) => sequences[(first + i) % sequences.length]);
    return collate(chosen, blockSize);
  };
}

/** Puts sequences side by side. Each predicts its tokens 1 … min(blockSize, length − 1). */
export function collate(sequences: readonly Int32Array[], blockSize: number): Batch {
  const lengths = sequences.map((s) => Math.min(blockSize, s.length - 1));
  const time = Math.max(...lengths);
  const predictions = lengths.reduce((a, b) => a + b, 0);
  const tokens = new Int32Array(sequences.length * time);
  const targets = new Int32Array(tokens.length);
  const weights = new Float64Array(tokens.length);
  sequences.forEach((sequence, b) => {
    tokens.set(sequence.subarray(0, lengths[b]), b * time);
    targets.set(sequence.subarray(1, lengths[b] + 1), b * time);
    weights.fill(1 / predictions, b * time, b * time + lengths[b]);
  });
  return { size: sequences.length, time, tokens, targets, weights, predictions };
}
