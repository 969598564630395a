/**
 * What a model learns from, as token ids: documents, or one long stream without beginnings and ends. In memory or on disk, it is the same here.
 * Refuses to know: files and characters. Invariant: the same text and options give the same ids in the same order, wherever they are kept.
 */
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { Encoding } from './utf8.js';

/** One example as token ids. */
export interface EncodedDocument {
  /** With its special tokens: BOS … BOS. */
  readonly tokens: Int32Array;
  /** 1 where the token is a target that counts in the loss; null where all count. */
  readonly counts: Uint8Array | null;
}

/** Documents as token ids. */
export interface Corpus {
  readonly kind: 'documents';
  readonly count: number;
  /** Document i, or only its first `most` tokens. Not to be changed. */
  document(i: number, most?: number): EncodedDocument;
  /** How many tokens document i has, special ones included. */
  length(i: number): number;
  /** Place of the first target that counts; 1 where all count, Infinity where none does. */
  firstTarget(i: number): number;
  /** Whether every target of every document counts. */
  readonly allCount: boolean;
  /** 53 bits from the content: equal texts, equal hashes. */
  hash(i: number): number;
  /** Which document of the whole text it is, from 1: its name in messages. */
  number(i: number): number;
}

/** One long text as token ids, without beginnings and ends. */
export interface TokenStream {
  readonly kind: 'stream';
  readonly length: number;
  /** Not to be changed. */
  read(from: number, count: number): Int32Array;
}

/** How a text becomes examples: a line each, windows of prose, raw bytes, conversations (JSONL), a column of a table. */
export type Format = 'lines' | 'chunked' | 'bytes' | 'chat' | 'csv' | 'tsv';
export const FORMAT_NAMES: readonly Format[] = ['lines', 'chunked', 'bytes', 'chat', 'csv', 'tsv'];

/** How a text is read and cut into examples. */
export interface CorpusOptions {
  readonly format: Format;
  /** What to call the text in messages. */
  readonly source?: string | undefined;
  /** 'char' learns the alphabet of the text ('byte' for bytes); a tokenizer that exists fixes the ids. */
  readonly tokenizer?: 'char' | 'byte' | Tokenizer | undefined;
  /** Where a learned alphabet has BOS; 'last' if left out. Conversations have their own order. */
  readonly bosPlace?: 'first' | 'last' | undefined;
  /** What happens to characters that a given tokenizer does not know: left out and counted ('skip'), or an error. */
  readonly unknown?: 'skip' | 'error' | undefined;
  readonly encoding?: Encoding | undefined;
  /** Share that is held out for validation, 0 (if left out) to 0.5. */
  readonly heldOut?: number | undefined;
  /** chunked: tokens in a chunk (128), shared with the next one (half), and whether BOS ends a chunk (true). */
  readonly chunkSize?: number | undefined;
  readonly chunkOverlap?: number | undefined;
  readonly trailingBos?: boolean | undefined;
  /** chat: whose words count in the loss; 'assistant' if left out. */
  readonly loss?: 'assistant' | 'all' | undefined;
  /** csv, tsv (needed there): name or number (from 1) of the column; and whether the first row has names (yes, if a name is given). */
  readonly column?: string | number | undefined;
  readonly header?: boolean | undefined;
}

/** What is known of a text that was read. */
export interface CorpusFacts {
  readonly source: string;
  readonly format: Format;
  readonly bytes: number;
  /** Of the file as it is; null where nobody computed it. */
  readonly sha256: string | null;
  /** All of them, held out or not. */
  readonly documents: number;
  readonly heldOut: number;
  /** Tokens of all documents without the BOS around them. */
  readonly tokens: number;
  readonly characters: number;
  /** Tokens of the longest document, special ones included: a context of one less holds it. */
  readonly longest: number;
  /** Characters with their number; empty where bytes are the tokens. */
  readonly alphabet: readonly (readonly [string, number])[];
  /** Characters that the given tokenizer does not know and that were left out. */
  readonly unknown: { readonly count: number; readonly first: readonly string[] };
  /** Documents of which nothing was left, as the tokenizer knows none of their characters. */
  readonly leftOut: number;
  /** What a user should know: line ends, byte order mark, lines that were cut … Full sentences. */
  readonly notes: readonly string[];
}

/** A text ready to be learned from: its tokenizer, what is learned, what is held out. */
export interface TextCorpus {
  readonly tokenizer: Tokenizer;
  readonly train: Corpus | TokenStream;
  /** What training never sees; null when nothing was to be held out, or nothing could be. */
  readonly validation: Corpus | TokenStream | null;
  readonly facts: CorpusFacts;
}

/** Some documents of a corpus: `at(k)` says which one stands at place k. */
export function selectDocuments(corpus: Corpus, count: number, at: (k: number) => number): Corpus {
  return {
    kind: 'documents',
    count,
    allCount: corpus.allCount,
    document: (k, most) => corpus.document(at(k), most),
    length: (k) => corpus.length(at(k)),
    firstTarget: (k) => corpus.firstTarget(at(k)),
    hash: (k) => corpus.hash(at(k)),
    number: (k) => corpus.number(at(k)),
  };
}

/**
 * The documents that have a target that counts within the context, as conversations may have none: they would teach nothing.
 * Gives how many were left out, and the numbers of the first few.
 */
export function withinContext(
  corpus: Corpus,
  blockSize: number,
): { readonly corpus: Corpus; readonly leftOut: number; readonly first: readonly number[] } {
  if (corpus.allCount) return { corpus, leftOut: 0, first: [] };
  const kept: number[] = [];
  const first: number[] = [];
  for (let i = 0; i < corpus.count; i++) {
    if (corpus.firstTarget(i) <= blockSize) kept.push(i);
    else if (first.length < 5) first.push(corpus.number(i));
  }
  const leftOut = corpus.count - kept.length;
  if (leftOut === 0) return { corpus, leftOut, first };
  const places = Uint32Array.from(kept);
  return { corpus: selectDocuments(corpus, places.length, (k) => places[k]), leftOut, first };
}
