/**
 * A model as a thing to keep: configuration, tokenizer and weights in one record. Codecs translate it to and from files.
 * Refuses to know: disks. Invariant: the tokenizer has as many ids as the model, and every weight is finite.
 */
import type { ModelConfig } from '../model/config.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

export interface Checkpoint {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  /** All parameters [total], in the order of the parameter table. */
  readonly parameters: Float64Array;
}

export interface Decoded {
  readonly checkpoint: Checkpoint;
  readonly format: FormatName;
  /** What had to be assumed, in sentences for the user. */
  readonly notes: readonly string[];
}

export const FORMATS = ['nested model.json', 'flat model.json'] as const;
export type FormatName = (typeof FORMATS)[number];

/** What a file may leave open and the user may then say. */
export interface DecodeOptions {
  readonly activation?: ModelConfig['activation'] | undefined;
}
