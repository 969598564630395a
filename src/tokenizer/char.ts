/**
 * One token per Unicode code point, and special tokens: BOS, at any place in the list, and for conversations those of the roles.
 * Refuses to know: where the characters come from. Invariant: pieces are distinct single code points; exactly one id is BOS.
 */
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { RoleTokens, Tokenizer } from './tokenizer.js';

/**
 * A tokenizer from its list of pieces; `null` marks special tokens: BOS, and the `roles` where they are given.
 * @throws MG_TOKENIZER_INVALID when a piece is not a single code point or appears twice, or when there is not exactly one BOS.
 */
export function createCharTokenizer(pieces: readonly (string | null)[], roles: RoleTokens | null = null): Tokenizer {
  const ids = new Map<string, number>();
  const roleIds = new Set(roles === null ? [] : [roles.user, roles.assistant, roles.end]);
  for (const id of roleIds) if (pieces[id] !== null) throw invalid(`token ${id} is a role and has a piece of text`);
  if (roles !== null && roleIds.size < 3) throw invalid('two roles have the same token');
  let bos = -1;
  pieces.forEach((piece, id) => {
    if (roleIds.has(id)) return;
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
    roles,
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
    decoder: () => ({ push: (id) => pieces[id] ?? '', end: () => '' }),
  };
}

/** Where special tokens stand: BOS before or after the characters, or after them user, assistant, end of turn, BOS. */
export type SpecialPlace = 'first' | 'last' | 'chat';

/** The distinct characters of all documents, sorted by code point, and special tokens. */
export function charTokenizerFrom(documents: Iterable<string>, place: SpecialPlace): Tokenizer {
  const characters = new Set<string>();
  for (const document of documents) for (const character of document) characters.add(character);
  return charTokenizerOf(characters, place);
}

/** As `charTokenizerFrom`, when the distinct characters are known. */
export function charTokenizerOf(characters: ReadonlySet<string>, place: SpecialPlace): Tokenizer {
  if (characters.size + 4 > LIMITS.vocabSize) {
    throw new MicrogptError(
      'MG_TOKENIZER_VOCAB',
      `the data has ${count(characters.size)} distinct characters, a char tokenizer holds ${count(LIMITS.vocabSize - 4)}`,
      'learn from its bytes: --format bytes, or a byte tokenizer',
    );
  }
  const sorted = [...characters].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  const n = sorted.length;
  switch (place) {
    case 'first':
      return createCharTokenizer([null, ...sorted]);
    case 'last':
      return createCharTokenizer([...sorted, null]);
    case 'chat':
      return createCharTokenizer([...sorted, null, null, null, null], { user: n, assistant: n + 1, end: n + 2 });
  }
}

function invalid(message: string): MicrogptError {
  return new MicrogptError(
    'MG_TOKENIZER_INVALID',
    message,
    'a tokenizer is a list of distinct characters with one BOS among them',
  );
}
