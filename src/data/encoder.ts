/**
 * Text → stored token ids of 16 bits, character by character, and what is learned on the way: the alphabet and how often each character occurs.
 * While an alphabet is being learned, ids are given in order of appearance; `finish` says what they become once all characters are known.
 * Refuses to know: documents and files. Invariant: half of a surrogate pair never becomes a token; it is read as U+FFFD and counted.
 */
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { charTokenizerOf, type SpecialPlace } from '../tokenizer/char.js';
import type { RoleTokens, Tokenizer } from '../tokenizer/tokenizer.js';

/** Where tokens go: `flush` empties the buffer when it is full. */
export interface TokenSink {
  readonly buffer: Uint16Array;
  used: number;
  flush(): void;
}

export interface Encoded {
  readonly tokenizer: Tokenizer;
  /** Stored id → id; null where they are the same. */
  readonly ids: Uint16Array | null;
  /** Characters with their number, by code point; empty for a byte tokenizer. */
  readonly alphabet: readonly (readonly [string, number])[];
  readonly characters: number;
  readonly unknown: UnknownCharacters;
  /** Halves of surrogate pairs, now U+FFFD. */
  readonly loneSurrogates: number;
}

/** Characters that the given tokenizer does not know. */
export interface UnknownCharacters {
  readonly count: number;
  /** The first few different ones. */
  readonly first: readonly string[];
}

export interface Encoder {
  /** Stored ids of the special tokens. */
  readonly bos: number;
  readonly roles: RoleTokens;
  encode(text: string, sink: TokenSink): void;
  finish(): Encoded;
}

export const MANY_CHARACTERS = LIMITS.vocabSize - 4;
const SHOWN = 8;
const CODE_POINTS = 0x110000;

/** A char tokenizer of all characters that occur. @throws MG_TOKENIZER_VOCAB from encode */
export function learningEncoder(place: SpecialPlace, source: string): Encoder {
  const stored = new Uint16Array(CODE_POINTS); // 0: not seen yet
  const counts = new Float64Array(LIMITS.vocabSize);
  const seen: number[] = [];
  let loneSurrogates = 0;
  function learn(point: number): number {
    if (seen.length === MANY_CHARACTERS) throw tooManyCharacters(source);
    seen.push(point);
    stored[point] = seen.length + 3;
    return stored[point];
  }
  return {
    bos: 0,
    roles: { user: 1, assistant: 2, end: 3 },
    encode(text, sink) {
      const { buffer } = sink;
      let { used } = sink;
      for (let i = 0; i < text.length; i++) {
        let point = text.charCodeAt(i);
        if ((point & 0xf800) === 0xd800) {
          point = text.codePointAt(i)!;
          if (point > 0xffff) i++;
          else {
            point = 0xfffd;
            loneSurrogates++;
          }
        }
        const id = stored[point] || learn(point);
        counts[id]++;
        if (used === buffer.length) used = flush(sink, used);
        buffer[used++] = id;
      }
      sink.used = used;
    },
    finish() {
      const characters = seen.map((point) => String.fromCodePoint(point));
      const tokenizer = charTokenizerOf(new Set(characters), place);
      const ids = new Uint16Array(seen.length + 4);
      ids[0] = tokenizer.bos!;
      const { roles } = tokenizer;
      if (roles !== null) ids.set([roles.user, roles.assistant, roles.end], 1);
      characters.forEach((character, i) => {
        ids[i + 4] = tokenizer.encode(character).ids[0];
      });
      const alphabet = characters.map((character, i) => [character, counts[i + 4]] as const);
      alphabet.sort(([a], [b]) => a.codePointAt(0)! - b.codePointAt(0)!);
      return { tokenizer, ids, alphabet, characters: sum(counts), unknown: NONE, loneSurrogates };
    },
  };
}

/** The ids of a tokenizer that exists; `refuse` is called for each character that it does not know. */
export function charEncoder(tokenizer: Tokenizer, refuse: (character: string) => void): Encoder {
  const idOf = new Int32Array(CODE_POINTS).fill(-1);
  tokenizer.pieces.forEach((piece, id) => {
    if (piece !== null) idOf[piece.codePointAt(0)!] = id;
  });
  const counts = new Float64Array(tokenizer.size);
  const first = new Set<string>();
  let unknown = 0;
  let loneSurrogates = 0;
  return {
    ...specialsOf(tokenizer),
    encode(text, sink) {
      const { buffer } = sink;
      let { used } = sink;
      for (let i = 0; i < text.length; i++) {
        let point = text.charCodeAt(i);
        if ((point & 0xf800) === 0xd800) {
          point = text.codePointAt(i)!;
          if (point > 0xffff) i++;
          else {
            point = 0xfffd;
            loneSurrogates++;
          }
        }
        const id = idOf[point];
        if (id < 0) {
          const character = String.fromCodePoint(point);
          refuse(character);
          unknown++;
          if (first.size < SHOWN) first.add(character);
          continue;
        }
        counts[id]++;
        if (used === buffer.length) used = flush(sink, used);
        buffer[used++] = id;
      }
      sink.used = used;
    },
    finish: () => ({
      tokenizer,
      ids: null,
      alphabet: tokenizer.pieces.flatMap((piece, id) =>
        piece === null || counts[id] === 0 ? [] : [[piece, counts[id]] as const],
      ),
      characters: sum(counts),
      unknown: { count: unknown, first: [...first] },
      loneSurrogates,
    }),
  };
}

/** UTF-8 as tokens: knows every text. */
export function byteEncoder(tokenizer: Tokenizer): Encoder {
  let characters = 0;
  let loneSurrogates = 0;
  return {
    ...specialsOf(tokenizer),
    encode(text, sink) {
      const { buffer } = sink;
      let { used } = sink;
      for (let i = 0; i < text.length; i++) {
        let point = text.charCodeAt(i);
        if ((point & 0xf800) === 0xd800) {
          point = text.codePointAt(i)!;
          if (point > 0xffff) i++;
          else {
            point = 0xfffd;
            loneSurrogates++;
          }
        }
        characters++;
        if (used + 4 > buffer.length) used = flush(sink, used);
        if (point < 0x80) buffer[used++] = point;
        else {
          if (point < 0x800) buffer[used++] = 0xc0 | (point >> 6);
          else {
            if (point < 0x10000) buffer[used++] = 0xe0 | (point >> 12);
            else {
              buffer[used++] = 0xf0 | (point >> 18);
              buffer[used++] = 0x80 | ((point >> 12) & 0x3f);
            }
            buffer[used++] = 0x80 | ((point >> 6) & 0x3f);
          }
          buffer[used++] = 0x80 | (point & 0x3f);
        }
      }
      sink.used = used;
    },
    finish: () => ({ tokenizer, ids: null, alphabet: [], characters, unknown: NONE, loneSurrogates }),
  };
}

const NONE: UnknownCharacters = { count: 0, first: [] };

function specialsOf({ bos, roles }: Tokenizer): { bos: number; roles: RoleTokens } {
  return { bos: bos ?? -1, roles: roles ?? { user: -1, assistant: -1, end: -1 } };
}

/** Empties the buffer; gives where to go on in it. */
function flush(sink: TokenSink, used: number): number {
  sink.used = used;
  sink.flush();
  return sink.used;
}

function sum(counts: Float64Array): number {
  return counts.reduce((total, n) => total + n, 0);
}

function tooManyCharacters(source: string): MicrogptError {
  return new MicrogptError(
    'MG_TOKENIZER_VOCAB',
    `${source} has more than ${count(MANY_CHARACTERS)} distinct characters, more than a char tokenizer holds`,
    'learn from its bytes: --format bytes, or a byte tokenizer',
  );
}
