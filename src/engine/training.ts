/**
 * A training run from texts to a model: settings, tokenizer, first weights, loop. The recipes of the earlier programs take all chance from
 * one stream of Python's random numbers, in their order: shuffle, then initial weights, then (after training) the samples.
 * Refuses to know: files, clocks, screens. Invariant: what a run computes depends on its settings and its text alone; a run that goes on
 * from a checkpoint computes what it would have computed without the interruption.
 */
import { MicrogptError } from '../base/errors.js';
import { createPythonRandom } from '../base/python-random.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { corpusFromDocuments } from '../data/build.js';
import type { TextCorpus } from '../data/corpus.js';
import { type Validation as HeldOut, validationBatches } from '../data/validation.js';
import { counterDraw, pythonDraw } from '../generate/sampler.js';
import { type ModelConfig, modelConfig } from '../model/config.js';
import { initialParameters, parameterTable } from '../model/parameters.js';
import type { TrainEvent } from '../train/events.js';
import type { Ranks } from '../train/ranks.js';
import { RECIPES, type RecipeName } from '../train/recipes.js';
import type { DataFacts, RunSettings, Settings } from '../train/settings.js';
import { type LoopState, newLoopState, trainLoop } from '../train/trainer.js';
import { createEngine, requireBackend } from './create-engine.js';
import type { BackendName, Engine, NamedProducts, Threads } from './engine.js';
import { extrasOf, requireMemory, usefulThreads } from './memory.js';
import {
  type OptionNames,
  requireDocuments,
  requireNames,
  requireSignal,
  requireThreads,
  requireWhole,
} from './options.js';
import { factsOf, partsForAll, requireSame, shareWeights } from './ranks.js';
import { resumedFrom, runOf } from './run-state.js';
import { requireSettings, resolveSettings, type SettingsOptions } from './settings.js';
import { type LeftOut, trainingBatches } from './training-data.js';
import { SAMPLE_NAMES, type SampleOptions, trainingSamples } from './training-samples.js';

/** At least so many held-out examples side by side, and about so many tokens in all: each look costs as much as a few steps. */
const VALIDATION_BATCH = 16;
const VALIDATION_TOKENS = 20_000;

/** What is learned, how, and who computes. */
export interface TrainingOptions extends SettingsOptions {
  /** The texts to learn from, one example each. */
  readonly documents?: readonly string[] | undefined;
  /** Instead of documents: a corpus, from `corpusFromText` or from `openCorpus` in 'microgpt/node'. */
  readonly corpus?: TextCorpus | undefined;
  /** What to call the data in messages. */
  readonly source?: string | undefined;
  /** Settings to start from; `canonical` if left out. */
  readonly recipe?: RecipeName | undefined;
  /** Threads that the wasm backend may share large work among, from the host: see `GenerateOptions`. One thread if left out. */
  readonly threads?: Threads | undefined;
  /** Has the wasm backend's large matrix products computed by the host's BLAS, whose bits are its own. Not if left out. */
  readonly products?: NamedProducts | undefined;
  /** The processes that train this model together; each reads the same text. Alone if left out. */
  readonly ranks?: Ranks | undefined;
  /** Goes on where the run was that this checkpoint is of: settings come from it, and the text must be the same. */
  readonly resume?: Checkpoint | undefined;
  /** Goes on although the text is another one. */
  readonly allowChanged?: 'data' | undefined;
}

const TRAINING_NAMES: OptionNames<TrainingOptions> = {
  documents: true,
  corpus: true,
  source: true,
  recipe: true,
  settings: true,
  model: true,
  steps: true,
  batchSize: true,
  learningRate: true,
  seconds: true,
  seed: true,
  backend: true,
  threads: true,
  products: true,
  ranks: true,
  resume: true,
  allowChanged: true,
  initFrom: true,
};

/** A training run. Reading its events drives it; close it when it is over. */
export interface Training {
  /** Recipe, what was asked, and what suits the text, put together. */
  readonly settings: RunSettings;
  readonly config: ModelConfig;
  /** What computes; for those who want to look inside while it trains. */
  readonly engine: Engine;
  readonly corpus: TextCorpus;
  /** What is known of the text. */
  readonly data: DataFacts;
  /** How many numbers the model has. */
  readonly parameters: number;
  /** How many threads its steps use at most: those it was given, or 1 where even its largest step is too small to be shared. */
  readonly threads: number;
  /** Steps done already when it was created; 0 but for a run that goes on. */
  readonly startStep: number;
  /** Steps at which it ends. */
  readonly steps: number;
  /** Who has computed its large matrix products, one after the other; empty while it was always the kernels. */
  readonly computedBy: readonly string[];
  /** Held-out text, if there is any to validate on. */
  readonly heldOut: HeldOut | null;
  /** Conversations without a word to learn within the context, which teach nothing. */
  readonly leftOut: LeftOut;
  /** Trains. Reading the events drives it; aborting ends it after the step in progress. */
  events(options?: { readonly signal?: AbortSignal | undefined }): AsyncGenerator<TrainEvent, void, void>;
  /** Steps done by now. */
  step(): number;
  /** The model as it is now; with the optimizer's state, what a run can go on from. */
  checkpoint(options?: { readonly optimizer?: boolean | undefined }): Checkpoint;
  /**
   * Samples of the finished model: for the earlier programs' recipes as those draw them. Of conversations: who says what, a line each,
   * and what the assistant says to the first turns of held-out conversations.
   */
  samples(count: number, options?: SampleOptions): string[];
  /** Samples on the way, which change nothing about the run. */
  peek(count: number, options?: SampleOptions): string[];
  /** What the next step goes by: its loss, and the gradient of every parameter [total] before clipping. Changes nothing about the run. */
  gradients(): { readonly loss: number; readonly gradients: Float64Array };
  /** Bits per character of held-out text at a loss in nats per token. */
  bitsPerCharacter(loss: number): number;
  /** Ends its threads and lets go of its memory. */
  close(): void;
}

/**
 * Prepares a run; nothing is computed until its events are read.
 * @throws MG_CONFIG_INVALID, MG_OPTION_VALUE, MG_DATA_*, MG_TOKENIZER_*, MG_TRAIN_BACKEND, MG_ENGINE_MEMORY, MG_RESUME_*
 */
export function createTraining(options: TrainingOptions): Training {
  requireNames('training', options, TRAINING_NAMES);
  requireThreads(options.threads);
  const resumed = options.resume && resumedFrom(options.resume);
  const recipe = recipeCalled(options.recipe ?? 'canonical');
  const asked = resumed?.settings ?? recipe;
  const corpus = options.corpus ?? documentCorpus(options, asked);
  const { ranks } = options;
  const settings = resumed?.settings ?? partsForAll(resolveSettings(recipe, options, corpus.facts), options);
  requireSettings(settings);
  requireBackend(settings.backend);
  const data = dataFacts(corpus);
  resumed?.requireSame(data, corpus.tokenizer, options.allowChanged === 'data');

  const seed = BigInt(settings.seed);
  const config = modelConfig({ ...settings.model, vocabSize: corpus.tokenizer.size });
  const table = parameterTable(config);
  const random = createPythonRandom(seed);
  const examples = trainingBatches(corpus, settings, random);
  requireMemory(settings.backend as BackendName, config, settings.batchSize, examples.longest, extrasOf(settings));
  // Drawn also when there are weights already: the samples that follow come from the same stream.
  const fresh = initialParameters(table, settings.spread, random.gauss);
  const own = options.resume?.parameters ?? options.initFrom?.parameters ?? fresh;
  if (ranks) requireSame(ranks.transport, factsOf(settings, config, data));
  const initial = ranks ? shareWeights(ranks.transport, own) : own;
  const heldOut =
    corpus.validation && settings.evalEvery > 0
      ? validationBatches(corpus.validation, corpus.tokenizer, {
          batchSize: Math.max(VALIDATION_BATCH, settings.batchSize),
          blockSize: config.blockSize,
          tokens: VALIDATION_TOKENS,
        })
      : null;
  const engine = createEngine(settings.backend as BackendName, config, initial, {
    threads: options.threads,
    products: options.products,
    ranks,
  });
  if (resumed) engine.restore({ parameters: initial, ...resumed.moments });

  const startStep = resumed?.step ?? 0;
  const computedBy = computers(resumed?.computedBy, settings.backend === 'wasm' ? options.products : undefined);
  const loop: LoopState = resumed?.loop ?? newLoopState();
  let step = startStep;

  async function* events(signal: AbortSignal | undefined): AsyncGenerator<TrainEvent, void, void> {
    const run = trainLoop({
      learner: engine,
      ...settings,
      batches: examples.batches,
      startStep: step,
      seed,
      validation: heldOut === null ? undefined : { batches: () => all(heldOut), every: settings.evalEvery },
      progress: loop,
      signal,
    });
    for await (const event of run) {
      if (event.type === 'step') step = event.step;
      yield event;
    }
  }

  function sample(count: number, python: boolean, asked: SampleOptions): string[] {
    requireWhole('count', count, 0);
    requireNames('samples', asked, SAMPLE_NAMES);
    const decoder = engine.decoder();
    const draw = python ? pythonDraw(random) : counterDraw(seed);
    try {
      return trainingSamples(decoder, config, corpus, draw, count, {
        temperature: settings.temperature,
        seed,
        ...asked,
      });
    } finally {
      decoder.close();
    }
  }

  return {
    settings,
    config,
    engine,
    corpus,
    data,
    parameters: table.total,
    threads: options.products
      ? (options.threads?.count ?? 1) // whoever computes the products has as many
      : usefulThreads(options.threads, engine.backend, config, settings.batchSize, examples.longest, settings),
    startStep,
    steps: settings.steps,
    computedBy,
    heldOut,
    leftOut: examples.leftOut,
    events(options = {}) {
      requireNames('events', options, { signal: true });
      requireSignal(options.signal);
      return events(options.signal);
    },
    step: () => step,
    checkpoint(options = {}) {
      requireNames('checkpoint', options, { optimizer: true });
      const { optimizer = false } = options;
      const model = { config, tokenizer: corpus.tokenizer, parameters: engine.parameters() };
      const run = runOf({ settings, data, step, loop, computedBy }, optimizer);
      if (!optimizer) return { ...model, run };
      return { ...model, optimizer: { ...settings.adam, step, moments: engine.moments() }, run };
    },
    samples: (count, options = {}) => sample(count, settings.data.order === 'python', options),
    peek: (count, options = {}) => sample(count, false, options),
    gradients: () => engine.gradients(examples.batches(step)),
    bitsPerCharacter: (loss) =>
      heldOut === null ? Number.NaN : (loss / Math.LN2) * (heldOut.tokens / heldOut.characters),
    close: engine.close,
  };
}

/** Those that a run had so far, undefined for a new one, and the one that it has now. */
function computers(before: readonly string[] | undefined, products: NamedProducts | undefined): readonly string[] {
  const own = 'the Wasm kernels';
  const soFar = before === undefined ? [] : before.length > 0 ? before : [own];
  const now = products === undefined ? own : (products.about ?? 'a library');
  const all = soFar.at(-1) === now ? soFar : [...soFar, now];
  return all.every((name) => name === own) ? [] : all;
}

/**
 * Trains from start to end. For progress, or to stop early, use `createTraining`.
 * @throws what `createTraining` throws, MG_TRAIN_NONFINITE when the loss is no number any more
 */
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

function documentCorpus({ documents, source, resume, initFrom }: TrainingOptions, settings: Settings): TextCorpus {
  requireDocuments(documents ?? [], source ?? 'the data');
  return corpusFromDocuments(documents ?? [], {
    source,
    tokenizer: (resume ?? initFrom)?.tokenizer,
    bosPlace: settings.bosPlace,
    heldOut: settings.data.validation,
  });
}

function dataFacts({ facts }: TextCorpus): DataFacts {
  const { source, bytes, sha256, documents, heldOut, tokens, characters } = facts;
  return { path: source, bytes, sha256: sha256 ?? '', documents, heldOut, tokens, characters };
}

function* all(heldOut: HeldOut) {
  for (let i = 0; i < heldOut.count; i++) yield heldOut.batch(i);
}

function recipeCalled(name: RecipeName) {
  if (!Object.hasOwn(RECIPES, name)) {
    const names = Object.keys(RECIPES).join(', ');
    throw new MicrogptError('MG_OPTION_VALUE', `there is no recipe ${JSON.stringify(name)}`, `choose one of ${names}`);
  }
  return RECIPES[name];
}
