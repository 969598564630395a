/**
 * What a benchmark measures: a model at its start, the batches that it learns from, and how much arithmetic that is.
 * Refuses to know: backends and clocks. Invariant: the same options give the same job.
 */
import { createPythonRandom } from '../base/python-random.js';
import { type Batches, encodeDocuments, sequentialBatches } from '../data/batches.js';
import { type ModelConfig, modelConfig } from '../model/config.js';
import { initialParameters, parameterTable } from '../model/parameters.js';
import { charTokenizerFrom } from '../tokenizer/char.js';
import { RECIPES, type Recipe, type RecipeName } from '../train/recipes.js';

export interface BenchOptions {
  /** Texts to train on. Without them: made-up tokens that fill the context. */
  readonly documents?: readonly string[] | undefined;
  readonly recipe?: RecipeName | undefined;
  /** Sizes that differ from the recipe's. The vocabulary comes from the documents where there are any. */
  readonly model?: { readonly [K in keyof ModelConfig]?: ModelConfig[K] | undefined } | undefined;
  /** Steps of a full run. */
  readonly steps?: number | undefined;
  readonly batchSize?: number | undefined;
}

/** What is measured: a model at its start, and the batches that it learns from. */
export interface BenchJob {
  readonly recipe: Recipe;
  readonly config: ModelConfig;
  readonly parameters: Float64Array; // [total]
  readonly batches: Batches;
  readonly bos: number;
  readonly steps: number;
  readonly batchSize: number;
}

/** @throws MG_CONFIG_INVALID, MG_DATA_EMPTY, MG_DATA_TOO_SMALL, MG_TOKENIZER_INVALID */
export function createBenchJob(options: BenchOptions): BenchJob {
  const recipe: Recipe = RECIPES[options.recipe ?? 'canonical'];
  const batchSize = options.batchSize ?? recipe.batchSize;
  const tokenizer = options.documents && charTokenizerFrom(options.documents, recipe.bosPlace);
  const sizes = Object.fromEntries(Object.entries(options.model ?? {}).filter(([, value]) => value !== undefined));
  const vocabSize = tokenizer?.size ?? options.model?.vocabSize ?? 65;
  const config = modelConfig({ ...recipe.model, ...sizes, vocabSize });
  const table = parameterTable(config);
  const random = createPythonRandom(42);
  const documents = [...(options.documents ?? [])];
  random.shuffle(documents);
  const parameters = initialParameters(table, recipe.spread, random.gauss);
  const sequences = tokenizer
    ? encodeDocuments(documents, tokenizer, 'the data')
    : Array.from({ length: 4 * batchSize }, () =>
        Int32Array.from({ length: config.blockSize + 1 }, () => random.randbelow(vocabSize)),
      );
  return {
    recipe,
    config,
    parameters,
    batches: sequentialBatches(sequences, batchSize, config.blockSize),
    bos: tokenizer?.bos ?? vocabSize - 1,
    steps: options.steps ?? recipe.steps,
    batchSize,
  };
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
