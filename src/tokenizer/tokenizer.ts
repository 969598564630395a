/**
 * What every tokenizer can do: text ↔ ids. It travels inside checkpoints.
 * Invariant: text never turns into a special token, and decode(encode(text).ids) is the text without its unknown characters.
 */
export interface Tokenizer {
  readonly kind: 'char';
  /** V: number of ids, special ones included. */
  readonly size: number;
  /** The special token that begins and ends a document. */
  readonly bos: number;
  /** Ids of the text, and the distinct pieces that the tokenizer does not know (left out of the ids), in order of appearance. */
  encode(text: string): { readonly ids: number[]; readonly unknown: readonly string[] };
  /** Special tokens have no text. */
  decode(ids: Iterable<number>): string;
  /** The piece of text for each id, null for special tokens. */
  readonly pieces: readonly (string | null)[];
}
