/**
 * A training run from documents to a model: shuffle, tokenizer, first weights, loop. All chance comes from one stream of Python's
 * random numbers, in the order of the canonical program: shuffle, then initial weights, then (after training) the samples.
 * Refuses to know: files, clocks, screens.
 */
import { MicrogptError } from '../base/errors.js';
import { createPythonRandom } from '../base/python-random.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { encodeDocuments, sequentialBatches } from '../data/batches.js';
import { pythonDraw } from '../generate/sampler.js';
import { type ModelConfig, modelConfig } from '../model/config.js';
import { initialParameters, parameterTable } from '../model/parameters.js';
import { charTokenizerFrom } from '../tokenizer/char.js';
import { RECIPES, type Recipe, type RecipeName } from '../train/recipes.js';
import { type TrainEvent, trainLoop } from '../train/trainer.js';
import { type BackendName, createEngine, type Engine, type Threads } from './engine.js';
import { requireMemory } from './memory.js';
import { requireDocuments, requireNumber, requireSeed, requireWhole } from './options.js';
import { sampleTexts } from './text.js';

export interface TrainingOptions {
  /** The texts to learn from, one example each. */
  readonly documents: readonly string[];
  /** What to call the data in messages. */
  readonly source?: string | undefined;
  /** Settings to start from; `canonical` if left out. */
  readonly recipe?: RecipeName | undefined;
  /** Sizes and choices that differ from the recipe's. */
  readonly model?: { readonly [K in keyof Omit<ModelConfig, 'vocabSize'>]?: ModelConfig[K] | undefined } | undefined;
  readonly steps?: number | undefined;
  readonly batchSize?: number | undefined;
  readonly learningRate?: number | undefined;
  /** Same seed, same data, same settings → the same weights; 42 if left out. */
  readonly seed?: number | bigint | undefined;
  readonly backend?: BackendName | 'auto' | undefined;
  /** Threads that the wasm backend may share large work among, from the host: `nodeThreads()` in 'microgpt/node'. One thread if left out. */
  readonly threads?: Threads | undefined;
}

export interface Training {
  readonly recipe: Recipe;
  readonly config: ModelConfig;
  readonly engine: Engine;
  readonly steps: number;
  readonly seed: number | bigint;
  readonly documents: number;
  readonly parameters: number;
  /** Trains. Reading the events drives it; aborting ends it after the step in progress. */
  events(options?: { readonly signal?: AbortSignal | undefined }): AsyncGenerator<TrainEvent, void, void>;
  /** The model as it is now. */
  checkpoint(): Checkpoint;
  /** Samples as the canonical program draws them: its random stream goes on after training. */
  samples(count: number): string[];
  close(): void;
}

/**
 * Prepares a run; nothing is computed until its events are read.
 * @throws MG_CONFIG_INVALID, MG_DATA_EMPTY, MG_DATA_TOO_SMALL, MG_TOKENIZER_INVALID, MG_TRAIN_BACKEND
 */
export function createTraining(options: TrainingOptions): Training {
  const recipe: Recipe = recipeCalled(options.recipe ?? 'canonical');
  const source = options.source ?? 'the data';
  const seed = options.seed ?? 42;
  const steps = options.steps ?? recipe.steps;
  const batchSize = options.batchSize ?? recipe.batchSize;
  const adam = { ...recipe.adam, learningRate: options.learningRate ?? recipe.adam.learningRate };

  requireDocuments(options.documents, source);
  requireSeed(seed);
  requireWhole('steps', steps, 1);
  requireWhole('batchSize', batchSize, 1);
  requireNumber('learningRate', adam.learningRate, 0, true);

  const tokenizer = charTokenizerFrom(options.documents, recipe.bosPlace);
  const config = modelConfig({ ...recipe.model, ...given(options.model ?? {}), vocabSize: tokenizer.size });
  const table = parameterTable(config);

  const random = createPythonRandom(seed);
  const documents = [...options.documents];
  random.shuffle(documents);
  const sequences = encodeDocuments(documents, tokenizer, source);
  const backend = options.backend ?? 'auto';
  const longest = sequences.reduce((most, sequence) => Math.max(most, sequence.length - 1), 1);
  requireMemory(backend, config, batchSize, Math.min(longest, config.blockSize));
  const initial = initialParameters(table, recipe.spread, random.gauss);
  const engine = createEngine(backend, config, initial, { threads: options.threads });

  return {
    recipe,
    config,
    engine,
    steps,
    seed,
    documents: documents.length,
    parameters: table.total,
    events: ({ signal } = {}) =>
      trainLoop({
        learner: engine,
        batches: sequentialBatches(sequences, batchSize, config.blockSize),
        adam,
        schedule: recipe.schedule,
        steps,
        signal,
      }),
    checkpoint: () => ({ config, tokenizer, parameters: engine.parameters() }),
    samples(count) {
      const decoder = engine.decoder();
      try {
        return sampleTexts(decoder, { config, tokenizer }, pythonDraw(random), {
          samples: count,
          temperature: recipe.temperature,
        });
      } finally {
        decoder.close();
      }
    },
    close: engine.close,
  };
}

/** Trains from start to end. For progress, or to stop early, use `createTraining`. */
export async function trainModel(options: TrainingOptions): Promise<Checkpoint> {
  const training = createTraining(options);
  try {
    for await (const _ of training.events()) {
      // the checkpoint is what counts
    }
    return training.checkpoint();
  } finally {
    training.close();
  }
}

function recipeCalled(name: RecipeName): Recipe {
  if (!Object.hasOwn(RECIPES, name)) {
    const names = Object.keys(RECIPES).join(', ');
    throw new MicrogptError('MG_OPTION_VALUE', `there is no recipe ${JSON.stringify(name)}`, `choose one of ${names}`);
  }
  return RECIPES[name];
}

function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
