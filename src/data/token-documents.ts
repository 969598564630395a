/**
 * Token columns, read as documents or as a stream. Refuses to know: where the columns are.
 * Invariant: reading changes nothing, and a document is the same whichever was read before it.
 */
import type { RoleTokens, Tokenizer } from '../tokenizer/tokenizer.js';
import type { Columns } from './columns.js';
import { hashOfNumber } from './content-hash.js';
import type { Corpus, EncodedDocument, TokenStream } from './corpus.js';
import { NUMBERS } from './document-writer.js';

/** The tokens of a column as a stream; `ids` says what the stored ids stand for. */
export function columnStream(columns: Columns, ids: Uint16Array | null): TokenStream {
  const translate = (stored: Uint16Array): Int32Array => {
    const out = new Int32Array(stored.length);
    if (ids === null) out.set(stored);
    else for (let i = 0; i < stored.length; i++) out[i] = ids[stored[i]];
    return out;
  };
  const whole = columns.tokens.whole();
  const length = columns.tokens.length();
  if (whole === null) return { kind: 'stream', length, read: (from, n) => translate(columns.tokens.read(from, n)) };
  return arrayStream(translate(whole));
}

export function arrayStream(all: Int32Array): TokenStream {
  return { kind: 'stream', length: all.length, read: (from, count) => all.subarray(from, from + count) };
}

/** A part of a stream, as a stream. */
export function sliceStream(stream: TokenStream, from: number, to: number): TokenStream {
  return { kind: 'stream', length: to - from, read: (start, count) => stream.read(from + start, count) };
}

/** What the writer wrote, as documents. In `assistantOnly` conversations, the assistant's words and the end of its turns count. */
export function columnDocuments(
  columns: Columns,
  count: number,
  stream: TokenStream,
  roles: RoleTokens | null,
  assistantOnly: boolean,
): Corpus {
  const all = columns.documents.whole();
  const number = (i: number, which: number): number =>
    all === null ? columns.documents.read(i * NUMBERS + which, 1)[0] : all[i * NUMBERS + which];
  /** Where document i starts, and where the next one does. */
  const bounds = (i: number): readonly [number, number] => {
    if (all !== null) return [all[i * NUMBERS], all[(i + 1) * NUMBERS]];
    const numbers = columns.documents.read(i * NUMBERS, NUMBERS + 1);
    return [numbers[0], numbers[NUMBERS]];
  };
  return {
    kind: 'documents',
    count,
    allCount: !assistantOnly,
    document(i, most = Number.POSITIVE_INFINITY) {
      const [start, next] = bounds(i);
      const tokens = stream.read(start - 1, Math.min(next - start + 1, most)); // with the BOS before it and after it
      return { tokens, counts: assistantOnly ? assistantCounts(tokens, roles!) : null };
    },
    length(i) {
      const [start, next] = bounds(i);
      return next - start + 1;
    },
    firstTarget: (i) => (assistantOnly ? number(i, 2) : 1),
    hash: (i) => number(i, 1),
    number: (i) => i + 1,
  };
}

function assistantCounts(tokens: Int32Array, roles: RoleTokens): Uint8Array {
  const counts = new Uint8Array(tokens.length);
  let speaks = false;
  for (let t = 0; t < tokens.length; t++) {
    const token = tokens[t];
    if (token === roles.user) speaks = false;
    else if (token === roles.assistant) speaks = true;
    else if (speaks) {
      counts[t] = 1;
      if (token === roles.end) speaks = false;
    }
  }
  return counts;
}

export interface Windows {
  /** Tokens in a window, and from the start of one to the start of the next. */
  readonly size: number;
  readonly step: number;
  /** Put around each window, where there is one. */
  readonly before: number | null;
  readonly after: number | null;
  /** Whether what is left at the end makes a shorter window. */
  readonly rest: boolean;
}

/** Windows of a stream, as documents. */
export function windowDocuments(stream: TokenStream, { size, step, before, after, rest }: Windows): Corpus {
  const { length } = stream;
  const full = length < size ? 0 : Math.floor((length - size) / step) + 1;
  const count = rest && full * step < length ? full + 1 : full;
  const sizeOf = (i: number) => Math.min(size, length - i * step);
  const extra = (before === null ? 0 : 1) + (after === null ? 0 : 1);
  return {
    kind: 'documents',
    count,
    allCount: true,
    document(i, most = Number.POSITIVE_INFINITY): EncodedDocument {
      const inside = stream.read(i * step, sizeOf(i));
      if (extra === 0) return { tokens: most < inside.length ? inside.subarray(0, most) : inside, counts: null };
      const tokens = new Int32Array(inside.length + extra);
      if (before !== null) tokens[0] = before;
      tokens.set(inside, before === null ? 0 : 1);
      if (after !== null) tokens[tokens.length - 1] = after;
      return { tokens: most < tokens.length ? tokens.subarray(0, most) : tokens, counts: null };
    },
    length: (i) => sizeOf(i) + extra,
    firstTarget: () => 1,
    hash: hashOfNumber,
    number: (i) => i + 1,
  };
}

/** How many characters begin in these tokens: each token of characters, each byte that continues none; special tokens are no text. */
export function charactersIn(tokenizer: Tokenizer, tokens: ArrayLike<number>, from: number, to: number): number {
  let n = 0;
  for (let t = from; t < to; t++) {
    const id = tokens[t];
    if (tokenizer.kind === 'byte' ? id < 256 && (id & 0xc0) !== 0x80 : tokenizer.pieces[id] !== null) n++;
  }
  return n;
}
