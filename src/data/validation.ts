/**
 * What is held out, as a fixed list of batches: every document once, or, where that is a lot, those with the least hashes, so that a longer
 * text changes the choice little. Weights are prepared: the sum of weight × loss over all batches is the mean loss of a token.
 * Refuses to know: models. Invariant: no chance, no state.
 */
import { type OptionNames, requireNames } from '../base/options.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { type Batch, collateDocuments } from './batches.js';
import { type Corpus, type TokenStream, withinContext } from './corpus.js';
import { charactersIn, windowDocuments } from './token-documents.js';

/** Held-out text as a fixed list of batches. */
export interface Validation {
  /** How many batches there are. */
  readonly count: number;
  batch(i: number): Batch;
  /** Targets that count, and how many characters they are: bits per character = loss ÷ ln 2 × tokens ÷ characters. */
  readonly tokens: number;
  readonly characters: number;
  readonly documents: number;
  /** Documents that are held out, used or not. */
  readonly ofDocuments: number;
}

/** How held-out text becomes batches. */
export interface ValidationOptions {
  /** Examples of a batch, and the tokens that each may have. */
  readonly batchSize: number;
  readonly blockSize: number;
  /** About so many tokens are used in all; 50,000 if left out. */
  readonly tokens?: number | undefined;
}

const NAMES: OptionNames<ValidationOptions> = { batchSize: true, blockSize: true, tokens: true };

export const VALIDATION_TOKENS = 50_000;

/** Null when nothing that is held out has a target that counts within the context. */
export function validationBatches(
  heldOut: Corpus | TokenStream,
  tokenizer: Tokenizer,
  options: ValidationOptions,
): Validation | null {
  requireNames('validationBatches', options, NAMES);
  const { batchSize, blockSize } = options;
  const corpus = heldOut.kind === 'documents' ? heldOut : windowsOf(heldOut, blockSize);
  const usable = withinContext(corpus, blockSize).corpus;
  if (usable.count === 0) return null;
  const chosen = leastHashes(usable, blockSize, options.tokens ?? VALIDATION_TOKENS);
  const documentAt = (i: number) => usable.document(chosen[i], blockSize + 1);

  let tokens = 0;
  let characters = 0;
  for (let i = 0; i < chosen.length; i++) {
    const { tokens: ids, counts } = documentAt(i);
    for (let t = 1; t < ids.length; t++) {
      if (counts !== null && counts[t] === 0) continue;
      tokens++;
      characters += charactersIn(tokenizer, ids, t, t + 1);
    }
  }
  return {
    count: Math.ceil(chosen.length / batchSize),
    batch(b) {
      const size = Math.min(batchSize, chosen.length - b * batchSize);
      return collateDocuments(
        Array.from({ length: size }, (_, i) => documentAt(b * batchSize + i)),
        blockSize,
        1 / tokens,
      );
    },
    tokens,
    characters,
    documents: chosen.length,
    ofDocuments: corpus.count,
  };
}

/** Windows that share one token: the last target of one is the first input of the next, so that each token is a target once. */
function windowsOf(stream: TokenStream, blockSize: number): Corpus {
  const windows = windowDocuments(stream, {
    size: blockSize + 1,
    step: blockSize,
    before: null,
    after: null,
    rest: true,
  });
  // A rest of one token has nothing to predict.
  const last = windows.count - 1;
  return last > 0 && windows.length(last) < 2 ? { ...windows, count: last } : windows;
}

/** Places of documents, those with the least hashes first, until there are `limit` targets; at least one. */
function leastHashes(corpus: Corpus, blockSize: number, limit: number): number[] {
  const size = (i: number) => Math.min(blockSize, corpus.length(i) - 1);
  let kept: { readonly hash: number; readonly place: number; readonly size: number }[] = [];
  let border = Number.POSITIVE_INFINITY; // hashes above it cannot be among the least any more
  const cutBack = () => {
    kept.sort((a, b) => a.hash - b.hash || a.place - b.place);
    let total = 0;
    let n = 0;
    while (n < kept.length && (n === 0 || total + kept[n].size <= limit)) total += kept[n++].size;
    if (n < kept.length) border = kept[n].hash;
    kept = kept.slice(0, n);
  };
  for (let i = 0; i < corpus.count; i++) {
    const hash = corpus.hash(i);
    if (hash > border) continue;
    kept.push({ hash, place: i, size: size(i) });
    if (kept.length >= 200_000) cutBack();
  }
  cutBack();
  return kept.map(({ place }) => place);
}
