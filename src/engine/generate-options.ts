/**
 * What can be asked of a model that writes, and the checks of it.
 * Invariant: options that pass here cannot make generating go wrong in a way that is not said by a MicrogptError.
 */
import { MicrogptError } from '../base/errors.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { Demands } from '../generate/constraints/acceptor.js';
import type { BackendName, Threads } from './engine.js';
import { type OptionNames, requireNumber, requireSeed, requireText, requireTexts, requireWhole } from './options.js';

/** How the next token is drawn. The order is that of the fields; see generate/filters.ts. */
export interface SamplingOptions {
  /** Added to the logits of token ids; −Infinity forbids one. */
  readonly bias?: ReadonlyMap<number, number> | undefined;
  /** Only printable ASCII, tab, line feed and carriage return. */
  readonly asciiOnly?: boolean | undefined;
  /** 0 = always the most likely token; 1 = as the model thinks; 0.5 if left out. */
  readonly temperature?: number | undefined;
  /** Above 1, what was said in the window becomes less likely, once more for each time. */
  readonly repetitionPenalty?: number | undefined;
  /** How many of the last tokens count as said; all if left out. */
  readonly repetitionWindow?: number | undefined;
  /** Only the k most likely tokens; 0 = all. */
  readonly topK?: number | undefined;
  /** Only the most likely tokens that together have this probability. */
  readonly topP?: number | undefined;
  /** Only tokens that are at least this many times as likely as the likeliest. */
  readonly minP?: number | undefined;
  /** Same seed, same samples; 42 if left out. */
  readonly seed?: number | bigint | undefined;
}

/** What every sample has to be; all of it is guaranteed. Lengths are in characters and count the prompt. */
export interface ConstraintOptions extends Demands {
  /** No sample twice. */
  readonly unique?: boolean | undefined;
  /** Texts that no sample may be. */
  readonly exclude?: Iterable<string> | undefined;
  /** The texts that the model has learned from: no sample is one of them. */
  readonly notInTraining?: Iterable<string> | undefined;
}

/** What can be asked of `generate`. */
export interface GenerateOptions extends SamplingOptions, ConstraintOptions {
  /** How many samples; 1 if left out. */
  readonly samples?: number | undefined;
  /** Text that every sample begins with. Characters that the model does not know do not reach it. */
  readonly prompt?: string | undefined;
  /** Most tokens to add; without it, until the model ends the sample or the context is full (with `chain`: 2,000). */
  readonly maxTokens?: number | undefined;
  /** A sample ends before one of these. */
  readonly stop?: string | readonly string[] | undefined;
  /** A sample ends at one of these token ids, and at BOS. */
  readonly stopTokens?: readonly number[] | undefined;
  /** `false`: BOS does not end a sample; it is read like any token and has no text. */
  readonly stopAtBos?: boolean | undefined;
  /** Each token comes with the likeliest ones of its place, as many as given here: after the temperature, before all filters. 0 = none. */
  readonly top?: number | undefined;
  /**
   * Each token comes with ln of its probability, and with so many of the likeliest of its place: as the model thinks, at temperature 1 and
   * without filters. 0 = its own alone.
   */
  readonly logprobs?: number | undefined;
  /** Go on when the context is full: the model then reads the last half of it again, or as many tokens as given here. */
  readonly chain?: boolean | number | undefined;
  /**
   * Draw as the earlier programs do. `python`: one stream of Python's random numbers after random.seed(seed). `python-scenario` also ends
   * a sample where the scenario scripts do: when prompt and sample fill the context, BOS counted. `cpp`: the byte-level trainer: no token
   * ends a sample, the context slides by one token, 128 tokens unless `maxTokens` is given, nothing without a prompt. `rust`: sample i
   * draws from the stream of seed + i.
   */
  readonly compat?: Compat | undefined;
  /** Who computes; the fastest there is if left out. */
  readonly backend?: BackendName | 'auto' | undefined;
  /** Threads for large models, from the host: `nodeThreads()` of 'microgpt/node', `await browserThreads()` of 'microgpt/browser'. Not a number. */
  readonly threads?: Threads | undefined;
}

export const SAMPLING_NAMES: OptionNames<SamplingOptions> = {
  temperature: true,
  topK: true,
  topP: true,
  minP: true,
  repetitionPenalty: true,
  repetitionWindow: true,
  bias: true,
  asciiOnly: true,
  seed: true,
};

export const DEMAND_NAMES: OptionNames<Demands> = {
  minLength: true,
  maxLength: true,
  startsWith: true,
  endsWith: true,
  matches: true,
};

/** Who computes. */
export const COMPUTER_NAMES: OptionNames<Pick<GenerateOptions, 'backend' | 'threads'>> = {
  backend: true,
  threads: true,
};

export const GENERATE_NAMES: OptionNames<GenerateOptions> = {
  samples: true,
  prompt: true,
  maxTokens: true,
  ...SAMPLING_NAMES,
  stop: true,
  stopTokens: true,
  stopAtBos: true,
  ...DEMAND_NAMES,
  unique: true,
  exclude: true,
  notInTraining: true,
  top: true,
  logprobs: true,
  chain: true,
  compat: true,
  ...COMPUTER_NAMES,
};

/** Who computes for all askers, and for how many at once. */
export interface ServiceOptions extends Pick<GenerateOptions, 'backend' | 'threads'> {
  /** How many sequences run side by side; 32 if left out. */
  readonly places?: number | undefined;
}

export const SERVICE_NAMES: OptionNames<ServiceOptions> = { ...COMPUTER_NAMES, places: true };

export const COMPATS = ['python', 'python-scenario', 'cpp', 'rust'] as const;
/** An earlier program whose draws are wanted. */
export type Compat = (typeof COMPATS)[number];

/** @throws MG_OPTION_VALUE */
export function requireSampling(options: SamplingOptions, vocabSize: number): void {
  requireNumber('temperature', options.temperature ?? 0.5, 0);
  requireSeed(options.seed ?? 42);
  requireWhole('topK', options.topK ?? 0, 0);
  requireNumber('topP', options.topP ?? 1, 0);
  requireNumber('minP', options.minP ?? 0, 0);
  requireNumber('repetitionPenalty', options.repetitionPenalty ?? 1, 0, true);
  requireWhole('repetitionWindow', options.repetitionWindow ?? 0, 0);
  for (const [name, value] of [
    ['topP', options.topP ?? 1],
    ['minP', options.minP ?? 0],
  ] as const) {
    if (value > 1) refuse(`${name} is ${value}, expected a number from 0 to 1`, `give ${name} a number from 0 to 1`);
  }
  const { bias } = options;
  if (bias !== undefined && !(typeof bias === 'object' && bias !== null && 'entries' in bias && 'get' in bias)) {
    refuse(`bias is ${typeof bias}, expected a Map`, 'give new Map([[token id, amount]])');
  }
  for (const [token, amount] of bias ?? []) {
    requireToken('bias', token, vocabSize);
    if (Number.isNaN(amount) || amount === Number.POSITIVE_INFINITY) {
      refuse(`the bias of token ${token} is ${amount}, expected a finite number or -Infinity`, 'give a number');
    }
  }
}

/** @throws MG_OPTION_VALUE */
export function requireGenerate(options: GenerateOptions, model: Pick<Checkpoint, 'config'>): void {
  const { config } = model;
  requireSampling(options, config.vocabSize);
  requireText('prompt', options.prompt ?? '');
  requireWhole('samples', options.samples ?? 1, 0);
  requireWhole('maxTokens', options.maxTokens ?? 0, 0);
  requireWhole('top', options.top ?? 0, 0);
  requireWhole('logprobs', options.logprobs ?? 0, 0);
  requireWhole('minLength', options.minLength ?? 0, 0);
  requireWhole('maxLength', options.maxLength ?? 0, 0);
  if (typeof options.chain === 'number') requireWhole('chain', options.chain, 0);
  for (const name of ['startsWith', 'endsWith', 'matches'] as const) requireText(name, options[name] ?? '');
  requireTexts('stop', typeof options.stop === 'string' ? [] : (options.stop ?? []));
  requireTexts('exclude', options.exclude ?? []);
  requireTexts('notInTraining', options.notInTraining ?? []);
  for (const token of options.stopTokens ?? []) requireToken('stopTokens', token, config.vocabSize);
  if (options.compat !== undefined && !COMPATS.includes(options.compat)) {
    refuse(`compat is ${JSON.stringify(options.compat)}, expected ${COMPATS.join(', ')}`, 'choose one of them');
  }
  if (isConstrained(options) && stopsOf(options).length > 0) {
    refuse(
      'stop strings would cut samples that have to meet demands',
      'leave out stop, or minLength, matches and the like',
    );
  }
}

function requireToken(name: string, token: number, vocabSize: number): void {
  if (Number.isSafeInteger(token) && token >= 0 && token < vocabSize) return;
  refuse(`${name} names token ${token}, the model has 0 to ${vocabSize - 1}`, 'give token ids of this model');
}

function refuse(message: string, remedy: string): never {
  throw new MicrogptError('MG_OPTION_VALUE', message, remedy);
}

export const stopsOf = ({ stop }: GenerateOptions): readonly string[] =>
  (typeof stop === 'string' ? [stop] : (stop ?? [])).filter((text) => text !== '');

/** Whether samples have to have a certain form. */
export const hasDemands = (o: Demands): boolean =>
  [o.minLength, o.maxLength, o.startsWith, o.endsWith, o.matches].some((demand) => demand !== undefined);

/** Whether some texts must not come out. */
export const hasExclusions = (o: ConstraintOptions): boolean =>
  o.unique === true || o.exclude !== undefined || o.notInTraining !== undefined;

export const isConstrained = (o: ConstraintOptions): boolean => hasDemands(o) || hasExclusions(o);
