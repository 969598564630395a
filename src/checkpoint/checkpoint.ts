/**
 * A model as a thing to keep: configuration, tokenizer and weights in one record. Codecs translate it to and from files.
 * Refuses to know: disks. Invariant: the tokenizer has as many ids as the model, and every weight is finite.
 */
import type { ModelConfig } from '../model/config.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** A model, and where it is known, what training needs to go on. */
export interface Checkpoint {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  /** All parameters [total], in the order of the parameter table. */
  readonly parameters: Float64Array;
  /** What training needs to go on; files that hold a model alone have none. */
  readonly optimizer?: OptimizerState | undefined;
  /** Where the model comes from, and what a run needs to go on exactly; only the native format holds it. */
  readonly run?: RunState | undefined;
}

/** Adam's memory after `step` steps, and the settings that it was made with. */
export interface OptimizerState {
  readonly step: number;
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Running means of gradients and of their squares, each [total]; null when the file left them out. */
  readonly moments: { readonly m: Float64Array; readonly v: Float64Array } | null;
}

/** Everything else about a run, as plain JSON: settings, seed, the data's sha256, validation so far. The trainer reads it; codecs carry it. */
export type RunState = { readonly [name: string]: JsonValue };

/** What JSON can hold. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** A model as it was read, and what was assumed in reading it. */
export interface Decoded {
  readonly checkpoint: Checkpoint;
  readonly format: FormatName;
  /** What had to be assumed, in sentences for the user. */
  readonly notes: readonly string[];
}

/** The file formats that models are read from. */
export const FORMATS = [
  'nested model.json',
  'flat model.json',
  'safetensors',
  'prefix .json + .bin',
  'weights.json + meta.json',
] as const;
/** The name of a file format. */
export type FormatName = (typeof FORMATS)[number];

/** What a file may leave open and the user may then say. */
export interface DecodeOptions {
  readonly activation?: ModelConfig['activation'] | undefined;
  /** The other file, for the formats that come in two. */
  readonly partner?: Uint8Array | undefined;
}
