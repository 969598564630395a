/**
 * What a request may ask for, and what the server does at once. Every number from outside has a lower and an upper bound here.
 */
export const REQUEST_LIMITS = {
  bodyBytes: 1_048_576,
  /** Values in the lists and objects of a body together. */
  values: 10_000,
  headers: 64,
  pathBytes: 2_048,
  messages: 256,
  /** UTF-16 units of all text in a request together. */
  text: 65_536,
  /** Samples of one request: of the earlier API, of the field's. */
  numSamples: 50,
  n: 8,
  prompts: 64,
  maxTokens: 4_096,
  stops: 4,
  stopLength: 64,
  logprobs: 20,
  choices: 256,
  patternLength: 4_096,
} as const;

/** What the server does at once. */
export interface LoadLimits {
  /** Requests that are being answered. */
  readonly active: number;
  /** Texts of requests beyond them whose clients do not take what is written: what is held for each takes memory. */
  readonly behind: number;
  /** Requests that wait for their turn; beyond them, requests are refused. */
  readonly queued: number;
  /** Milliseconds that one waits. */
  readonly waitMs: number;
  /** Requests of one key that are answered or wait. */
  readonly perKey: number;
}

/** What a server does at once unless `limits` says otherwise. */
export const LOAD_LIMITS: LoadLimits = { active: 32, behind: 64, queued: 64, waitMs: 30_000, perKey: 16 };
