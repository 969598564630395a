/**
 * A look at a corpus before training: how long its documents are, what repeats, what a context cuts off, and which sizes suit it.
 * Refuses to know: screens. Invariant: bounded memory, however many documents there are.
 */
import { HASH_RANGE } from './content-hash.js';
import type { Corpus, CorpusFacts } from './corpus.js';

/** Tokens of documents, without the BOS around them. */
export interface Lengths {
  readonly min: number;
  readonly median: number;
  readonly p90: number;
  readonly max: number;
  /** length → number of documents. */
  readonly counts: ReadonlyMap<number, number>;
}

export function documentLengths(corpus: Corpus): Lengths {
  const counts = new Map<number, number>();
  for (let i = 0; i < corpus.count; i++) {
    const length = corpus.length(i) - 2;
    counts.set(length, (counts.get(length) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a], [b]) => a - b);
  const at = (share: number) => {
    let seen = 0;
    for (const [length, n] of sorted) {
      seen += n;
      if (seen >= share * corpus.count) return length;
    }
    return 0;
  };
  return { min: at(0), median: at(0.5), p90: at(0.9), max: at(1), counts: new Map(sorted) };
}

/** What a context of `blockSize` predictions leaves out: the ends of long documents. Where a document ends is part of it, a chunk's end is not. */
export function cutBy(
  lengths: Lengths,
  blockSize: number,
  endCounts = true,
): { readonly documents: number; readonly tokens: number } {
  let [documents, tokens] = [0, 0];
  for (const [length, n] of lengths.counts) {
    const targets = endCounts ? length + 1 : length;
    if (targets <= blockSize) continue;
    documents += n;
    tokens += n * (targets - blockSize);
  }
  return { documents, tokens };
}

const MOST_HASHES = 2 ** 21;

/** How many documents are equal to an earlier one. With very many documents, counted among a part of them chosen by content, and scaled. */
export function duplicates(corpus: Corpus): { readonly count: number; readonly exact: boolean } {
  let parts = 1;
  while (corpus.count / parts > MOST_HASHES) parts *= 2;
  const border = HASH_RANGE / parts;
  const hashes: number[] = [];
  for (let i = 0; i < corpus.count; i++) {
    const hash = corpus.hash(i);
    if (hash < border) hashes.push(hash);
  }
  const sorted = Float64Array.from(hashes).sort();
  let count = 0;
  for (let i = 1; i < sorted.length; i++) if (sorted[i] === sorted[i - 1]) count++;
  return { count: count * parts, exact: parts === 1 };
}

/** Characters that occur less than ten times: each takes a place in the vocabulary and is hardly learned. */
export function rareCharacters(facts: CorpusFacts): (readonly [string, number])[] {
  return facts.alphabet.filter(([, n]) => n < 10).sort(([, a], [, b]) => a - b);
}
