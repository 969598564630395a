/**
 * What every tokenizer can do: text ↔ ids. It travels inside checkpoints.
 * Invariant: text never turns into a special token, and decode(encode(text).ids) is the text without its unknown characters.
 */
export interface Tokenizer {
  /** `char`: an id per code point of the training text. `byte`: the 256 bytes of UTF-8, which know any text. */
  readonly kind: 'char' | 'byte';
  /** V: number of ids, special ones included. */
  readonly size: number;
  /** The special token that begins and ends a document; null where there is none (raw bytes). */
  readonly bos: number | null;
  /** The special tokens of conversations; null for a model that was not trained on any. */
  readonly roles: RoleTokens | null;
  /** Ids of the text, and the distinct pieces that the tokenizer does not know (left out of the ids), in order of appearance. */
  encode(text: string): { readonly ids: number[]; readonly unknown: readonly string[] };
  /** Special tokens have no text. Bytes that are not UTF-8 become U+FFFD. */
  decode(ids: Iterable<number>): string;
  /** Text as its tokens arrive; never a part of a character. */
  decoder(): TextStream;
  /** How each id is shown, null for special tokens. For `char` it is the text itself. */
  readonly pieces: readonly (string | null)[];
}

/** A turn of a conversation is: the token of who speaks, the text, `end`. */
export interface RoleTokens {
  readonly user: number;
  readonly assistant: number;
  /** Ends a turn. */
  readonly end: number;
}

/** Turns tokens into text as they come; never gives half a character. */
export interface TextStream {
  /** The text that is certain once this token has arrived; '' while a character is incomplete. */
  push(id: number): string;
  /** What was still incomplete: U+FFFD, or ''. */
  end(): string;
}
