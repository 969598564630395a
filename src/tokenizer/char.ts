/**
 * One token per Unicode code point, and one special token, BOS, at any place in the list.
 * Refuses to know: where the characters come from. Invariant: pieces are distinct single code points; exactly one id is BOS.
 */
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Tokenizer } from './tokenizer.js';

/**
 * A tokenizer from its list of pieces; `null` marks BOS.
 * @throws MG_TOKENIZER_INVALID when a piece is not a single code point or appears twice, or when there is not exactly one BOS.
 */
export function createCharTokenizer(pieces: readonly (string | null)[]): Tokenizer {
  const ids = new Map<string, number>();
  let bos = -1;
  pieces.forEach((piece, id) => {
    if (piece === null) {
      if (bos >= 0) throw invalid(`ids ${bos} and ${id} are both BOS`);
      bos = id;
      return;
    }
    if ([...piece].length !== 1) throw invalid(`token ${id} is ${JSON.stringify(piece)}, expected one character`);
    if (ids.has(piece)) throw invalid(`${JSON.stringify(piece)} appears as token ${ids.get(piece)} and as token ${id}`);
    ids.set(piece, id);
  });
  if (bos < 0) throw invalid('no token is BOS');

  return {
    kind: 'char',
    size: pieces.length,
    bos,
    pieces: [...pieces],
    encode(text) {
      const out: number[] = [];
      const unknown = new Set<string>();
      for (const character of text) {
        const id = ids.get(character);
        if (id === undefined) unknown.add(character);
        else out.push(id);
      }
      return { ids: out, unknown: [...unknown] };
    },
    decode(tokens) {
      let text = '';
      for (const id of tokens) text += pieces[id] ?? '';
      return text;
    },
  };
}

/** The distinct characters of all documents, sorted by code point, with BOS before or after them. */
export function charTokenizerFrom(documents: Iterable<string>, bosPlace: 'first' | 'last'): Tokenizer {
  const characters = new Set<string>();
  for (const document of documents) for (const character of document) characters.add(character);
  if (characters.size + 1 > LIMITS.vocabSize) {
    throw new MicrogptError(
      'MG_TOKENIZER_INVALID',
      `the data has ${characters.size.toLocaleString('en')} distinct characters, a char tokenizer holds ${LIMITS.vocabSize - 1}`,
      'use other data, or clean it of characters that hardly occur',
    );
  }
  const sorted = [...characters].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  return createCharTokenizer(bosPlace === 'first' ? [null, ...sorted] : [...sorted, null]);
}

function invalid(message: string): MicrogptError {
  return new MicrogptError(
    'MG_TOKENIZER_INVALID',
    message,
    'a tokenizer is a list of distinct characters with one BOS among them',
  );
}
