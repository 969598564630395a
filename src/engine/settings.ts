/**
 * From a recipe and what the caller wants otherwise to the settings of one run.
 * Refuses to know: texts and files. Invariant: what comes out is complete; the same input gives the same settings on any machine.
 */
import { MicrogptError } from '../base/errors.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { CorpusFacts } from '../data/corpus.js';
import type { ModelConfig } from '../model/config.js';
import type { Recipe } from '../train/recipes.js';
import { SCHEDULES } from '../train/schedules.js';
import { type Overrides, type RunSettings, type Settings, withOverrides } from '../train/settings.js';
import { sizesFor } from '../train/sizes.js';
import { type BackendName, DEFAULT_BACKEND } from './engine.js';
import { requireNames, requireNumber, requireOneOf, requireSeed, requireWhole } from './options.js';

/** What the sizes depend on. */
type TextFacts = Pick<CorpusFacts, 'format' | 'documents' | 'heldOut' | 'tokens' | 'longest'>;

/** What a caller may want otherwise than the recipe. */
export interface SettingsOptions {
  /** Settings that differ from the recipe's. */
  readonly settings?: Overrides<Settings> | undefined;
  /** The most used of them, for short. */
  readonly model?: { readonly [K in keyof Omit<ModelConfig, 'vocabSize'>]?: ModelConfig[K] | undefined } | undefined;
  /** Steps to train; the recipe's if left out (1,000 in `canonical`). */
  readonly steps?: number | undefined;
  /** Examples a step. */
  readonly batchSize?: number | undefined;
  /** The full rate, of which the schedule leaves a share. */
  readonly learningRate?: number | undefined;
  /** For `standard`, seconds that training may take: decides the sizes. */
  readonly seconds?: number | undefined;
  /** Same seed, same data, same settings → the same weights; 42 if left out. */
  readonly seed?: number | bigint | undefined;
  /** Who computes; the fastest there is if left out. */
  readonly backend?: BackendName | 'auto' | undefined;
  /** Starts from the weights of a model, with its configuration; the corpus must use its tokenizer. */
  readonly initFrom?: Checkpoint | undefined;
}

/** So many documents can be shuffled in memory as Python does; more are put in order by a keyed permutation. */
export const MOST_SHUFFLED = 4_000_000;

export function resolveSettings(recipe: Recipe, options: SettingsOptions, facts: TextFacts): RunSettings {
  const { name, about: _, ...base } = recipe;
  const seed = options.seed ?? 42;
  requireSeed(seed);
  const asked = withOverrides<Overrides<Settings>>(options.settings ?? {}, shorthands(options));
  requireKnown('settings', asked, { ...base, data: { ...base.data, header: undefined } });
  const sized = withOverrides<Settings>(base, name === 'standard' ? sizes(facts, options.seconds, asked) : undefined);
  const settings = withOverrides(sized, asked);
  const started = options.initFrom === undefined ? settings : { ...settings, model: modelOf(options.initFrom.config) };
  const backend = options.backend ?? 'auto';
  return {
    ...started,
    data: {
      ...started.data,
      format: facts.format,
      order: facts.documents > MOST_SHUFFLED ? 'keyed' : started.data.order,
    },
    evalEvery: Math.min(looksEvery(started, asked), started.steps),
    recipe: name,
    seed: String(seed),
    backend: backend === 'auto' ? DEFAULT_BACKEND : backend,
  };
}

/** A recipe has every setting there is, but for the `header` of tables. @throws MG_OPTION_VALUE for a name that it has not. */
function requireKnown(where: string, asked: object, known: object): void {
  requireNames(where, asked, Object.fromEntries(Object.keys(known).map((name) => [name, true as const])));
  for (const [name, value] of Object.entries(asked)) {
    const own: unknown = (known as Readonly<Record<string, unknown>>)[name];
    if (isGroup(value) && isGroup(own)) requireKnown(`${where}.${name}`, value, own);
  }
}

const isGroup = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Who holds text out wants to see how well it is predicted: ten times, unless told otherwise. */
function looksEvery({ evalEvery, steps, data }: Settings, asked: Overrides<Settings>): number {
  if (evalEvery > 0 || asked.evalEvery !== undefined || !asked.data?.validation || data.validation === 0)
    return evalEvery;
  return Math.max(1, Math.ceil(steps / 10));
}

function shorthands({ model, steps, batchSize, learningRate }: SettingsOptions): Overrides<Settings> {
  return { model, steps, batchSize, adam: { learningRate } };
}

/**
 * Sizes by the text; where the steps are given, a tenth of them lies between two looks at the held-out text. In a run of a second or two ten
 * looks would take a seventh of the time: there are four.
 */
function sizes(facts: TextFacts, seconds: number | undefined, asked: Overrides<Settings>): Overrides<Settings> {
  const { documents, heldOut, tokens, longest, format } = facts;
  const found = sizesFor({ format, documents: documents - heldOut, tokens, longest }, seconds ?? null);
  const { nEmbd, nHead, nLayer, blockSize, batchSize, learningRate, weightDecay, dropout } = found;
  const width = asked.model?.nEmbd ?? nEmbd;
  const steps = asked.steps ?? found.steps;
  return {
    // A width of one's own keeps heads of the usual size where that works out.
    model: {
      nEmbd: width,
      nHead: width % nHead === 0 ? Math.max(1, Math.round((nHead * width) / nEmbd)) : 1,
      nLayer,
      blockSize,
    },
    batchSize,
    steps,
    warmup: Math.min(100, Math.floor(steps / 10)),
    evalEvery: Math.max(1, Math.ceil(steps / (seconds !== undefined && seconds <= 2 ? 4 : 10))),
    adam: { learningRate, weightDecay },
    dropout,
  };
}

function modelOf({ vocabSize: _, ...model }: ModelConfig): Settings['model'] {
  return model;
}

/** @throws MG_OPTION_VALUE for a setting out of range, whoever it came from. */
export function requireSettings(settings: RunSettings): void {
  const { adam, data } = settings;
  requireWhole('steps', settings.steps, 1);
  requireWhole('batchSize', settings.batchSize, 1);
  requireWhole('accumulate', settings.accumulate, 1);
  requireOneOf('schedule', settings.schedule, SCHEDULES);
  requireWhole('warmup', settings.warmup, 0);
  requireWhole('evalEvery', settings.evalEvery, 0);
  requireWhole('patience', settings.patience, 0);
  requireNumber('learningRate', adam.learningRate, 0, true);
  requireNumber('eps', adam.eps, 0, true);
  requireNumber('weightDecay', adam.weightDecay, 0);
  requireNumber('clip', settings.clip, 0);
  requireNumber('temperature', settings.temperature, 0);
  for (const [name, value] of [
    ['beta1', adam.beta1],
    ['beta2', adam.beta2],
    ['dropout', settings.dropout],
    ['floor', settings.floor],
    ['validation', data.validation],
  ] as const) {
    const most = name === 'floor' ? 1 : 0.9999999;
    requireNumber(name, value, 0);
    if (value > most) {
      throw new MicrogptError(
        'MG_OPTION_VALUE',
        `${name} is ${value}, expected a share below 1`,
        `give a smaller ${name}`,
      );
    }
  }
}
