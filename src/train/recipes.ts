/**
 * The three recipes by which the earlier systems trained on names. Data only: sizes, initialisation, optimizer, schedule, sampling.
 * `canonical` is Karpathy's single file; `persistence` and `scenario` are two older Python programs.
 */
import { DEFAULT_CONFIG, type ModelConfig } from '../model/config.js';
import type { InitialSpread } from '../model/parameters.js';
import type { AdamSettings } from './optimizer.js';
import type { Schedule } from './schedules.js';

export interface Recipe {
  readonly name: string;
  readonly about: string;
  readonly model: Omit<ModelConfig, 'vocabSize'>;
  /** Where BOS stands among the token ids. */
  readonly bosPlace: 'first' | 'last';
  readonly spread: InitialSpread;
  readonly adam: AdamSettings;
  readonly schedule: Schedule;
  readonly steps: number;
  readonly batchSize: number;
  readonly temperature: number;
}

const canonical: Recipe = {
  name: 'canonical',
  about: 'the canonical single file: relu, context 16, 1,000 steps',
  model: DEFAULT_CONFIG,
  bosPlace: 'last',
  spread: { std: 0.08, residualStd: 0.08 },
  adam: { learningRate: 0.01, beta1: 0.85, beta2: 0.99, eps: 1e-8, weightDecay: 0 },
  schedule: 'linear',
  steps: 1000,
  batchSize: 1,
  temperature: 0.5,
};

const persistence: Recipe = {
  ...canonical,
  name: 'persistence',
  about: 'the older scripts that save model.json: squared relu, context 8, 500 steps',
  model: { ...DEFAULT_CONFIG, blockSize: 8, activation: 'relu2' },
  bosPlace: 'first',
  spread: { std: 0.02, residualStd: 0 },
  adam: { ...canonical.adam, beta1: 0.9, beta2: 0.95 },
  steps: 500,
  temperature: 0.6,
};

const scenario: Recipe = {
  ...persistence,
  name: 'scenario',
  about: 'the older scenario scripts: as persistence, with BOS last and a cosine schedule',
  bosPlace: 'last',
  schedule: 'cosine',
  temperature: 0.5,
};

export const RECIPES = { canonical, persistence, scenario } as const satisfies Record<string, Recipe>;
export type RecipeName = keyof typeof RECIPES;
