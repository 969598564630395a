/**
 * What the page and the engine's worker say to each other: calls with one answer each, and events that come unasked.
 * Refuses to know: how either side is made. Invariant: everything here survives structured cloning.
 */
import type {
  Checkpoint,
  EvalEvent,
  Format,
  FormatName,
  ModelConfig,
  RunSettings,
  SampleEvent,
  SamplingOptions,
  StageName,
  TextScore,
  Turn,
  WarningEvent,
} from 'microgpt';

/** A text to learn from. */
export interface Source {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly format: Format;
  /** For tables: the column's name, or its number from 1. */
  readonly column: string | null;
}

/** What is left at null is the recipe's. */
export interface Job {
  readonly source: Source;
  readonly recipe: 'canonical' | 'standard';
  readonly seconds: number | null;
  readonly seed: string;
  readonly steps: number | null;
  readonly nEmbd: number | null;
  readonly nHead: number | null;
  readonly nLayer: number | null;
  readonly blockSize: number | null;
  readonly batchSize: number | null;
  readonly learningRate: number | null;
  readonly dropout: number | null;
  /** Most steps a second, to watch more closely; null for as fast as it goes. */
  readonly pace: number | null;
}

export type TrainState = 'ready' | 'running' | 'paused' | 'done';

/** Whether the browser keeps the run; 'cramped': without its weights over training time; 'elsewhere': it keeps that of another window. */
export type Kept = 'kept' | 'cramped' | 'nowhere' | 'elsewhere';

/** What the model wrote after so many steps. */
export interface Samples {
  readonly step: number;
  readonly texts: readonly string[];
}

/** A run that has been set up: nothing of this changes while it trains. */
export interface Prepared {
  /** Numbers the runs of this page: later ones are larger. */
  readonly run: number;
  readonly source: string;
  readonly format: Format;
  readonly settings: RunSettings;
  readonly config: ModelConfig;
  readonly parameters: number;
  readonly documents: number;
  readonly heldOut: number;
  readonly tokens: number;
  readonly startStep: number;
  /** Loss of a model that knows nothing: ln V. */
  readonly guessing: number;
  readonly threads: number;
  readonly notes: readonly string[];
}

/** How far a run is. */
export interface Progress {
  readonly state: TrainState;
  readonly step: number;
  readonly stepsPerSecond: number | null;
  readonly secondsLeft: number | null;
}

export interface Problem {
  /** A MicrogptError's, or null for a fault of ours. */
  readonly code: string | null;
  readonly message: string;
  readonly remedy: string;
}

export type ModelId = string;
/** The model in training, as it is at the moment. */
export const LIVE: ModelId = 'live';

export interface ModelInfo {
  readonly id: ModelId;
  readonly name: string;
  readonly config: ModelConfig;
  readonly parameters: number;
  /** Special tokens of conversations; null for a model that does not chat. */
  readonly roles: Checkpoint['tokenizer']['roles'];
  /** Whether a character is a token, or a byte. */
  readonly tokens: 'char' | 'byte';
  readonly step: number | null;
  /** It can go on being trained. */
  readonly resumable: boolean;
  readonly notes: readonly string[];
}

export interface NamedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface SeenStage {
  readonly name: StageName;
  readonly layer: number | null;
  readonly width: number;
  readonly values: Float32Array; // [T,width]
}

export interface Next {
  readonly id: number;
  readonly text: string | null;
  readonly probability: number;
}

/** What a model does not read of a text as it stands. */
export interface Unread {
  readonly unknown: readonly string[];
  /** Capitals that were read as small letters. */
  readonly folded: readonly string[];
}

export interface Seen extends Unread {
  readonly tokens: readonly { readonly id: number; readonly text: string | null }[];
  /** The text is longer than the context. */
  readonly cut: boolean;
  readonly next: readonly (readonly Next[])[];
  readonly heads: number;
  readonly attention: readonly Float32Array[]; // each [H,T,T]
  readonly stages: readonly SeenStage[];
}

/** One parameter tensor at one moment of training. */
export interface WeightMap {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

export interface WeightNames {
  readonly tensors: readonly { readonly name: string; readonly rows: number; readonly columns: number }[];
  /** Steps at which weights and gradients were kept. */
  readonly moments: readonly number[];
}

/** The hidden unit of the first layer that answers most strongly to the last token of a text: weights, and what it reads. */
export interface Neuron {
  readonly unit: number;
  readonly inputs: readonly number[];
  readonly weights: readonly number[];
  readonly activation: ModelConfig['activation'];
  /** What the inputs that are not shown add, the bias counted. */
  readonly rest: number;
  readonly output: number;
}

export interface Sampling extends Omit<SamplingOptions, 'bias'> {
  readonly prompt?: string;
  readonly samples?: number;
  readonly maxTokens?: number;
  readonly top?: number;
  readonly chain?: boolean;
}

export interface Saved {
  readonly files: readonly NamedFile[];
  readonly lost: readonly string[];
}

export type SaveKind = FormatName | 'run';

/** name → [what is asked, what is answered] */
export interface Calls {
  hello: [null, { readonly isolated: boolean; readonly whyOneThread: string | null }];
  /** The format that a text seems to have. */
  guess: [{ readonly name: string; readonly bytes: Uint8Array }, { readonly format: Format; readonly because: string }];
  prepare: [Job, Prepared];
  /** Trains so many steps, or to the end; answers once it has begun. */
  train: [{ readonly steps: number | null }, null];
  pause: [null, Progress];
  /** sha256 of the weights as little-endian f32. */
  hash: [null, string];
  /** Keeps the model in training as it is now. */
  keep: [{ readonly name: string }, ModelInfo];
  open: [{ readonly files: readonly NamedFile[] }, ModelInfo];
  /** Goes on training a model that was opened, with the text that it was begun with. */
  resume: [{ readonly model: ModelId; readonly source: Source }, Prepared];
  close: [{ readonly model: ModelId }, null];
  save: [{ readonly model: ModelId; readonly as: SaveKind; readonly name: string }, Saved];
  /** `moment`: with the weights of the model in training as they were then; null for those of now. */
  see: [{ readonly model: ModelId; readonly text: string; readonly moment: number | null }, Seen];
  /** How many tokens a text is, the one before it counted. */
  read: [{ readonly model: ModelId; readonly text: string }, Unread & { readonly length: number }];
  weightNames: [null, WeightNames | null];
  weights: [{ readonly tensor: string; readonly moment: number; readonly gradient: boolean }, WeightMap];
  neuron: [{ readonly model: ModelId; readonly text: string; readonly shown: number }, Neuron];
  generate: [{ readonly stream: number; readonly model: ModelId; readonly options: Sampling }, null];
  reply: [
    { readonly stream: number; readonly model: ModelId; readonly turns: readonly Turn[]; readonly options: Sampling },
    null,
  ];
  stop: [{ readonly stream: number }, null];
  /** How each token is written; null for special ones. */
  pieces: [{ readonly model: ModelId }, readonly (string | null)[]];
  score: [{ readonly model: ModelId; readonly texts: readonly string[] }, readonly TextScore[]];
  /** A run that the browser kept, put back as it was; null when there is none. */
  recover: [null, Recovered | null];
  forget: [null, null];
}

export interface Recovered {
  readonly prepared: Prepared;
  readonly job: Job;
  readonly step: number;
  readonly savedAt: number;
  readonly losses: Float32Array;
  readonly evals: readonly EvalEvent[];
  readonly samples: readonly Samples[];
}

export type EngineEvent =
  | {
      readonly type: 'progress';
      readonly run: number;
      readonly progress: Progress;
      /** Losses of the steps that were done since the last of these events. */
      readonly losses: Float32Array;
      readonly evals: readonly EvalEvent[];
    }
  | (Samples & { readonly type: 'samples'; readonly run: number })
  | { readonly type: 'warning'; readonly code: WarningEvent['code'] }
  | { readonly type: 'live'; readonly model: ModelInfo }
  | { readonly type: 'failed'; readonly problem: Problem }
  | { readonly type: 'autosave'; readonly kept: Kept }
  | { readonly type: 'sample'; readonly stream: number; readonly event: SampleEvent };

/** What is asked of a model that writes: samples, or a reply when there are turns. */
export interface SamplingStream {
  readonly model: ModelId;
  readonly options: Sampling;
  readonly turns?: readonly Turn[];
}

export type CallName = keyof Calls;
export type Asked<N extends CallName> = Calls[N][0];
export type Answered<N extends CallName> = Calls[N][1];

export interface Request {
  readonly id: number;
  readonly call: CallName;
  readonly argument: unknown;
}

export type Message =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly problem: Problem }
  | { readonly event: EngineEvent };

export type { Checkpoint };
