/**
 * What a surface's thread and the thread that computes say to each other. All of it is plain data.
 */
import type { ErrorCode } from '../base/errors.js';
import type { JsonValue } from '../checkpoint/checkpoint.js';
import type { Job } from '../engine/compute.js';
import type { PromptToken } from '../engine/prompt-logprobs.js';
import type { SampleEvent } from '../engine/samples.js';
import type { ModelConfig } from '../model/config.js';
import type { TokenizerJson } from '../tokenizer/tokenizer-json.js';

/** A model as it is handed over. */
export interface SentModel {
  readonly name: string;
  readonly config: ModelConfig;
  readonly tokenizer: TokenizerJson;
  /** In shared memory, so that there is one copy however often a thread is started. */
  readonly parameters: Float64Array;
  /** How many exchanges it makes sense of, as its file says. */
  readonly exchanges: JsonValue | undefined;
}

export type ToWorker =
  | { readonly type: 'ask'; readonly id: number; readonly model: string; readonly job: Job }
  | {
      readonly type: 'logprobs';
      readonly id: number;
      readonly model: string;
      readonly text: string;
      readonly logprobs: number;
    }
  /** So many events of it have been read. */
  | { readonly type: 'read'; readonly id: number; readonly count: number }
  | { readonly type: 'cancel'; readonly id: number };

/** What became of several things that were asked; what happened in one turn of the model travels together. */
export type FromWorker = readonly Answer[];

export type Answer =
  | { readonly type: 'events'; readonly id: number; readonly events: SampleEvent[] }
  | { readonly type: 'logprobs'; readonly id: number; readonly tokens: readonly PromptToken[] }
  | { readonly type: 'end'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly error: SentError };

export interface SentError {
  /** Null for a bug. */
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly remedy: string;
}

/** So many events of one question may be on their way unread; more are not computed until some have been read. */
export const CREDIT = 32;
