/**
 * A prompt as a model reads it whose alphabet has no capitals: a letter that it knows only as a small one is read as that.
 * Refuses to know: what is done with the text. Invariant: what the model knows is read as it stands; with bytes as tokens, everything.
 */
import type { Tokenizer } from './tokenizer.js';

/** A prompt as the model reads it, and what had to be changed for that. */
export interface PromptReading {
  readonly ids: readonly number[];
  /** What the model reads, as text. */
  readonly text: string;
  /** Capitals that are read as small letters, in order of appearance. */
  readonly folded: readonly string[];
  /** Pieces that the model knows neither way: left out of the ids, in order of appearance. */
  readonly unknown: readonly string[];
}

/** The ids of a text, read with small letters where the tokenizer knows only those; what it knows neither way is left out and named. */
export function readPrompt(tokenizer: Tokenizer, text: string): PromptReading {
  const strict = tokenizer.encode(text);
  const { ids, unknown } = strict.unknown.length === 0 ? strict : tokenizer.encode(inSmallLetters(tokenizer, text));
  const folded = strict.unknown.filter((piece) => !unknown.includes(piece));
  return { ids, text: tokenizer.decode(ids), folded, unknown };
}

/** The text with small letters where the tokenizer does not know the capital and knows the small one. */
export function inSmallLetters(tokenizer: Tokenizer, text: string): string {
  const { unknown } = tokenizer.encode(text);
  if (unknown.length === 0) return text;
  const small = new Map<string, string>();
  for (const piece of unknown) {
    const other = piece.toLowerCase();
    if (other !== piece && tokenizer.encode(other).unknown.length === 0) small.set(piece, other);
  }
  return [...text].map((piece) => small.get(piece) ?? piece).join('');
}
