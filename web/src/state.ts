/**
 * What the page knows at the moment, in one place; components read parts of it and are drawn again when those change.
 * Refuses to know: the engine, and what is on the screen. Invariant: only `update` changes it.
 */
import type { EvalEvent, WarningEvent } from 'microgpt';
import { useEffect, useState } from 'preact/hooks';
import type { Kept, ModelId, ModelInfo, Prepared, Problem, Progress, Samples, Source } from './engine/protocol';
import type { Term } from './texts';

export const CORPORA = ['names', 'stories', 'chat', 'own'] as const;
export type Corpus = (typeof CORPORA)[number];

/** The dial: which recipe, and how many seconds it is made for. */
export const DIAL = [
  { recipe: 'canonical', seconds: null },
  { recipe: 'standard', seconds: 2 },
  { recipe: 'standard', seconds: 20 },
  { recipe: 'standard', seconds: 90 },
  { recipe: 'standard', seconds: 900 },
] as const;

export const NUMBERS = [
  'steps',
  'nEmbd',
  'nHead',
  'nLayer',
  'blockSize',
  'batchSize',
  'learningRate',
  'dropout',
  'pace',
] as const;
export type NumberName = (typeof NUMBERS)[number];

/** What is to be trained next; null is the recipe's choice. */
export type Choice = { readonly [K in NumberName]: number | null } & {
  readonly corpus: Corpus;
  readonly dial: number;
  readonly seed: string;
};

export interface Run {
  readonly number: number;
  readonly prepared: Prepared | null;
  readonly preparing: boolean;
  readonly progress: Progress;
  /** Grows in place; `seen` says how far. */
  readonly losses: number[];
  readonly seen: number;
  /** The step before the first of the losses. */
  readonly lossesFrom: number;
  readonly evals: readonly EvalEvent[];
  readonly samples: readonly Samples[];
  readonly hash: string | null;
  readonly took: number | null;
  /** Each at most once. */
  readonly warnings: readonly WarningEvent['code'][];
}

export interface Recovered {
  readonly name: string;
  readonly step: number;
  readonly savedAt: number;
}

export interface App {
  readonly isolated: boolean | null;
  readonly whyOneThread: string | null;
  readonly theme: 'auto' | 'light' | 'dark';
  readonly place: string;
  readonly choice: Choice;
  readonly own: Source | null;
  readonly ownBecause: string | null;
  readonly run: Run;
  readonly models: readonly ModelInfo[];
  readonly model: ModelId | null;
  /** The model of the run before this one, while it is kept. */
  readonly before: ModelId | null;
  readonly problem: Problem | null;
  readonly term: Term | null;
  readonly recovered: Recovered | null;
  readonly kept: Kept | null;
  readonly text: string;
  readonly said: string;
}

export const IDLE: Progress = { state: 'ready', step: 0, stepsPerSecond: null, secondsLeft: null };

export const emptyRun = (number: number, preparing: boolean): Run => ({
  number,
  prepared: null,
  preparing,
  progress: IDLE,
  losses: [],
  seen: 0,
  lossesFrom: 0,
  evals: [],
  samples: [],
  hash: null,
  took: null,
  warnings: [],
});

export const FIRST_CHOICE: Choice = {
  corpus: 'names',
  dial: 1,
  seed: '42',
  steps: null,
  nEmbd: null,
  nHead: null,
  nLayer: null,
  blockSize: null,
  batchSize: null,
  learningRate: null,
  dropout: null,
  pace: null,
};

let app: App = {
  isolated: null,
  whyOneThread: null,
  theme: 'auto',
  place: 'train',
  choice: FIRST_CHOICE,
  own: null,
  ownBecause: null,
  run: emptyRun(0, true),
  models: [],
  model: null,
  before: null,
  problem: null,
  term: null,
  recovered: null,
  kept: null,
  text: 'maria',
  said: '',
};

const readers = new Set<() => void>();
export const current = (): App => app;

export function update(part: Partial<App>): void {
  app = { ...app, ...part };
  for (const reader of readers) reader();
}

export const updateRun = (part: Partial<Run>): void => update({ run: { ...app.run, ...part } });

/** A part of what the page knows. `select` must give the same object while nothing changed. */
export function useApp<T>(select: (app: App) => T): T {
  const [value, setValue] = useState(() => select(app));
  useEffect(() => {
    const read = () => setValue(() => select(app));
    readers.add(read);
    read();
    return () => {
      readers.delete(read);
    };
  }, []);
  return value;
}
