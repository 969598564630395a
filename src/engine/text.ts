/**
 * A model that is asked for text: prompt in, samples out.
 */
import { createPythonRandom } from '../base/python-random.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { generateSamples } from '../generate/generate.js';
import { counterDraw, type Draw, pythonDraw } from '../generate/sampler.js';
import { type BackendName, createEngine, type Decoder } from './engine.js';
import { requireNumber, requireSeed, requireWhole } from './options.js';

const SIDE_BY_SIDE = 32; // samples in the making at once

export interface GenerateOptions {
  /** How many samples; 1 if left out. */
  readonly samples?: number | undefined;
  /** 0 = always the most likely token; 1 = as the model thinks; 0.5 if left out. */
  readonly temperature?: number | undefined;
  /** Same seed, same samples; 42 if left out. */
  readonly seed?: number | bigint | undefined;
  /** Text that every sample begins with. Characters that the model does not know do not reach it. */
  readonly prompt?: string | undefined;
  /** Most tokens to add; without it, until the model ends the sample or the context is full. */
  readonly maxTokens?: number | undefined;
  /**
   * Draw from one stream of Python's random numbers, as the earlier Python programs do after random.seed(seed).
   * `python-scenario` also ends a sample where the scenario scripts do: when prompt and sample fill the context, BOS counted.
   */
  readonly compat?: 'python' | 'python-scenario' | undefined;
  readonly backend?: BackendName | 'auto' | undefined;
}

/**
 * Samples, each with its prompt in front. Sample i is the same whether asked for alone or among many (not with `compat`).
 * @throws MG_GEN_NONFINITE when the model is damaged, MG_TRAIN_BACKEND when there is no such backend.
 */
export function generate(model: Checkpoint, options: GenerateOptions = {}): string[] {
  requireWhole('samples', options.samples ?? 1, 0);
  requireNumber('temperature', options.temperature ?? 0.5, 0);
  requireSeed(options.seed ?? 42);
  const engine = createEngine(options.backend ?? 'auto', model.config, model.parameters);
  try {
    const seed = options.seed ?? 42;
    const draw = options.compat ? pythonDraw(createPythonRandom(seed)) : counterDraw(seed);
    // A running stream is drawn from in the order of the samples; draws by counter may come in any order.
    const places = options.compat ? 1 : Math.min(options.samples ?? 1, SIDE_BY_SIDE);
    return sampleTexts(engine.decoder(Math.max(1, places)), model, draw, options);
  } finally {
    engine.close();
  }
}

/** Samples from a decoder that is there already. */
export function sampleTexts(
  decoder: Decoder,
  { config, tokenizer }: Pick<Checkpoint, 'config' | 'tokenizer'>,
  draw: Draw,
  { samples = 1, temperature = 0.5, prompt = '', compat, maxTokens }: GenerateOptions,
): string[] {
  const known = tokenizer.encode(prompt).ids;
  const ids = tokenizer.bos === null && known.length === 0 ? tokenizer.encode('\n').ids : known;
  const room = compat === 'python-scenario' ? config.blockSize - Math.min(1 + ids.length, config.blockSize) : undefined;
  const sequences = generateSamples(decoder, {
    samples,
    bos: tokenizer.bos,
    prompt: ids,
    blockSize: config.blockSize,
    vocabSize: config.vocabSize,
    temperature,
    draw,
    maxTokens: maxTokens ?? room,
  });
  return sequences.map((tokens) => prompt + tokenizer.decode(tokens));
}
