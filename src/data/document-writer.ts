/**
 * Documents on their way into columns: BOS d₀ BOS d₁ BOS …, and for each where it starts, the hash of its content and its first target
 * that counts. On the way it is decided what is held out: by content, so that equal documents stay together and a longer text keeps the split.
 * Refuses to know: formats. Invariant: a document is in the columns whole or not at all.
 */
import type { RoleTokens } from '../tokenizer/tokenizer.js';
import type { Columns } from './columns.js';
import { createContentHash, HASH_RANGE } from './content-hash.js';
import type { Encoder, TokenSink } from './encoder.js';
import { createBitSet } from './selection.js';

/** Numbers about a document: where its first token stands, its hash, its first target that counts. */
export const NUMBERS = 3;

export interface DocumentWriter {
  /** Parts of the document that is being written. */
  text(text: string): void;
  role(role: keyof RoleTokens): void;
  /** Ends the document. */
  end(): void;
  /** How many there are so far, with those of which nothing was left. */
  readonly begun: () => number;
  finish(): Written;
}

export interface Written {
  readonly documents: number;
  /** Documents of which no known character was left. */
  readonly dropped: number;
  readonly tokens: number;
  readonly longest: number;
  readonly heldOut: number;
  /** Whether document i is held out. */
  readonly isHeldOut: (i: number) => boolean;
}

export function createDocumentWriter(encoder: Encoder, columns: Columns, heldOutShare: number): DocumentWriter {
  const sink = columnSink(columns);
  const hash = createContentHash();
  const threshold = heldOutShare * HASH_RANGE;
  const numbers = new Float64Array(NUMBERS * 1024);
  let numbersUsed = 0;
  let start = 1;
  let first = Number.POSITIVE_INFINITY;
  let speaks: keyof RoleTokens | null = null;
  let documents = 0;
  let dropped = 0;
  let tokens = 0;
  let longest = 0;

  const under = createBitSet(); // documents whose hash is below the share
  let underCount = 0;
  const least = createBitSet(); // documents with the least hash of all; bits before `leastFrom` are of an older least
  let leastHash = HASH_RANGE;
  let leastFrom = 0;
  let leastCount = 0;

  put(encoder.bos);

  function put(id: number): void {
    if (sink.used === sink.buffer.length) sink.flush();
    sink.buffer[sink.used++] = id;
  }

  function chooseSide(value: number): void {
    if (heldOutShare === 0) return;
    if (value < threshold) {
      under.set(documents);
      underCount++;
    }
    if (value > leastHash) return;
    if (value < leastHash) {
      leastHash = value;
      leastFrom = documents;
      leastCount = 0;
    }
    least.set(documents);
    leastCount++;
  }

  function writeNumbers(...values: [number, number, number]): void {
    if (numbersUsed === numbers.length) flushNumbers();
    numbers.set(values, numbersUsed);
    numbersUsed += NUMBERS;
  }

  function flushNumbers(): void {
    columns.documents.append(numbers.subarray(0, numbersUsed));
    numbersUsed = 0;
  }

  return {
    begun: () => documents + dropped,
    text(text) {
      hash.add(text);
      const before = sink.written + sink.used;
      encoder.encode(text, sink);
      if (speaks === 'assistant' && first === Number.POSITIVE_INFINITY && sink.written + sink.used > before) {
        first = before - start + 1; // BOS is token 0
      }
    },
    role(role) {
      hash.mark(ROLE_MARKS[role]);
      put(encoder.roles[role]);
      speaks = role;
    },
    end() {
      const value = hash.take();
      const size = sink.written + sink.used - start;
      speaks = null;
      if (size === 0) {
        dropped++;
        return;
      }
      put(encoder.bos);
      chooseSide(value);
      writeNumbers(start, value, first);
      start = sink.written + sink.used;
      first = Number.POSITIVE_INFINITY;
      documents++;
      tokens += size;
      longest = Math.max(longest, size + 2);
    },
    finish() {
      writeNumbers(start, 0, 0); // where a next one would start, so that the last one has an end
      flushNumbers();
      sink.flush();
      const facts = { documents, dropped, tokens, longest };
      if (underCount > 0 && underCount < documents) {
        return { ...facts, heldOut: underCount, isHeldOut: under.has };
      }
      // Few documents: none or all of them are below the share. Then the least hash stands for it, if that leaves anything to learn from.
      if (leastCount > 0 && leastCount < documents) {
        return { ...facts, heldOut: leastCount, isHeldOut: (i) => i >= leastFrom && least.has(i) };
      }
      return { ...facts, heldOut: 0, isHeldOut: () => false };
    },
  };
}

const ROLE_MARKS = { user: 0, assistant: 1, end: 2 };

/** A buffer before the column of tokens. */
export function columnSink(columns: Columns): TokenSink & { readonly written: number } {
  const buffer = new Uint16Array(32_768);
  let written = 0;
  return {
    buffer,
    used: 0,
    get written() {
      return written;
    },
    flush() {
      columns.tokens.append(buffer.subarray(0, this.used));
      written += this.used;
      this.used = 0;
    },
  };
}
