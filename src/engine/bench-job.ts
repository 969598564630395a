/**
 * What a benchmark measures: a model at its start, the batches that it learns from, and how much arithmetic that is.
 * Refuses to know: backends and clocks. Invariant: the same options give the same job.
 */
import { createPythonRandom } from '../base/python-random.js';
import { type Batches, sequentialBatches } from '../data/batches.js';
import type { TextCorpus } from '../data/corpus.js';
import { type ModelConfig, modelConfig } from '../model/config.js';
import { initialParameters, parameterTable } from '../model/parameters.js';
import { RECIPES, type RecipeName } from '../train/recipes.js';
import type { Overrides, RunSettings, Settings } from '../train/settings.js';
import { resolveSettings } from './settings.js';
import { trainingBatches } from './training-data.js';

export interface BenchOptions {
  /** What to train on. Without it: made-up tokens that fill the context. */
  readonly corpus?: TextCorpus | undefined;
  readonly recipe?: RecipeName | undefined;
  /** Settings that differ from the recipe's. */
  readonly settings?: Overrides<Settings> | undefined;
  /** Sizes that differ from the recipe's. The vocabulary comes from the corpus where there is one. */
  readonly model?: { readonly [K in keyof ModelConfig]?: ModelConfig[K] | undefined } | undefined;
  /** Steps of a full run. */
  readonly steps?: number | undefined;
  readonly batchSize?: number | undefined;
}

/** What is measured: a model at its start, and the batches that it learns from. */
export interface BenchJob {
  readonly settings: Settings;
  readonly config: ModelConfig;
  readonly parameters: Float64Array; // [total]
  readonly batches: Batches;
  readonly bos: number;
  readonly steps: number;
  readonly batchSize: number;
}

/** @throws MG_CONFIG_INVALID, MG_DATA_EMPTY, MG_DATA_TOO_SMALL, MG_TOKENIZER_INVALID */
export function createBenchJob(options: BenchOptions): BenchJob {
  const { corpus } = options;
  const { vocabSize = 65, ...sizes } = options.model ?? {};
  const recipe = RECIPES[options.recipe ?? 'canonical'];
  const facts = corpus?.facts ?? { documents: 0, heldOut: 0, tokens: 0, longest: 0, format: 'lines' as const };
  const settings = resolveSettings(recipe, { ...options, model: sizes }, facts);
  const config = modelConfig({ ...settings.model, vocabSize: corpus?.tokenizer.size ?? vocabSize });
  const random = createPythonRandom(42);
  const batches = corpus
    ? trainingBatches(corpus, settings, random).batches
    : madeUp(settings, config, random.randbelow);
  return {
    settings,
    config,
    parameters: initialParameters(parameterTable(config), settings.spread, random.gauss),
    batches,
    bos: corpus?.tokenizer.bos ?? config.vocabSize - 1,
    steps: settings.steps,
    batchSize: settings.batchSize,
  };
}

function madeUp(
  { batchSize }: RunSettings,
  { blockSize, vocabSize }: ModelConfig,
  below: (n: number) => number,
): Batches {
  const sequences = Array.from({ length: 4 * batchSize }, () =>
    Int32Array.from({ length: blockSize + 1 }, () => below(vocabSize)),
  );
  return sequentialBatches(sequences, batchSize, blockSize);
}

/**
 * Floating-point operations of a training step, 2 for a multiply-add: 6 for each matrix weight and token (forward 2, backward 4), and for
 * attention 6·C·t·(t+1) for each layer and sequence of t tokens (scores and mixing, up to each token; backward twice the forward).
 * Embeddings, norms, activations, softmax and AdamW are left out.
 */
export function trainingFlops(config: ModelConfig, starts: Int32Array): number {
  const matrices = parameterTable(config).list.filter((p) => p.kind === 'matrix' || p.kind === 'residual');
  let flops = 6 * matrices.reduce((sum, p) => sum + p.size, 0) * starts[starts.length - 1];
  for (let b = 0; b + 1 < starts.length; b++) {
    const t = starts[b + 1] - starts[b];
    flops += 6 * config.nLayer * config.nEmbd * t * (t + 1);
  }
  return flops;
}

/** Predictions and floating-point operations of the first n steps. */
export function workOf(job: BenchJob, n: number): { readonly predictions: number; readonly flops: number } {
  let [predictions, flops] = [0, 0];
  for (let i = 0; i < n; i++) {
    const { starts } = job.batches(i);
    predictions += starts[starts.length - 1];
    flops += trainingFlops(job.config, starts);
  }
  return { predictions, flops };
}
