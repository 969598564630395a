/**
 * Settings to start from. Data only. Three are those by which the earlier systems trained on names: `canonical` is Karpathy's single
 * file, `persistence` and `scenario` are two older Python programs. `standard` is ours, for anyone's own text; its sizes come from sizes.ts.
 */
import { DEFAULT_CONFIG } from '../model/config.js';
import type { Settings } from './settings.js';

/** Settings with a name. */
export interface Recipe extends Settings {
  readonly name: string;
  readonly about: string;
}

const canonical: Recipe = {
  name: 'canonical',
  about: 'the canonical single file: relu, context 16, 1,000 steps',
  data: {
    format: 'lines',
    column: null,
    chunkSize: 128,
    chunkOverlap: 64,
    trailingBos: true,
    lossOn: 'assistant',
    encoding: 'strict',
    validation: 0,
    order: 'python',
  },
  model: DEFAULT_CONFIG,
  bosPlace: 'last',
  spread: { std: 0.08, residualStd: 0.08 },
  adam: { learningRate: 0.01, beta1: 0.85, beta2: 0.99, eps: 1e-8, weightDecay: 0 },
  schedule: 'linear',
  warmup: 0,
  floor: 0,
  steps: 1000,
  batchSize: 1,
  accumulate: 1,
  clip: 0,
  dropout: 0,
  evalEvery: 0,
  patience: 0,
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

const standard: Recipe = {
  ...canonical,
  name: 'standard',
  about: 'AdamW with warm-up, falling to 0 and clipping, a tenth held out, sizes by the text',
  data: { ...canonical.data, trailingBos: false, validation: 0.1, order: 'keyed' },
  model: { ...DEFAULT_CONFIG, nEmbd: 64, nLayer: 2, blockSize: 64, activation: 'relu2' },
  adam: { learningRate: 0.005, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01 },
  schedule: 'linear',
  warmup: 100,
  floor: 0,
  steps: 2000,
  batchSize: 32,
  clip: 1,
  evalEvery: 200,
  temperature: 0.8,
};

/** Settings to start from, by name: those of the earlier programs, and `standard`, whose sizes suit the text. */
export const RECIPES = { canonical, persistence, scenario, standard } as const satisfies Record<string, Recipe>;
/** The name of a recipe. */
export type RecipeName = keyof typeof RECIPES;

export function isRecipe(name: string): name is RecipeName {
  return Object.hasOwn(RECIPES, name);
}
