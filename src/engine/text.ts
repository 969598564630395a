/**
 * A model that is asked for text: prompt in, samples out.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { Draw } from '../generate/sampler.js';
import { createScheduler } from '../generate/scheduler.js';
import { createEngine } from './create-engine.js';
import type { Decoder } from './engine.js';
import { GENERATE_NAMES, type GenerateOptions, requireGenerate } from './generate-options.js';
import { requireCall } from './options.js';
import { type Model, planSamples } from './plan.js';
import { createSampleRun } from './samples.js';

export type { GenerateOptions } from './generate-options.js';

const SIDE_BY_SIDE = 32; // samples in the making at once

/** How many places a generation needs: a running stream is drawn from in the order of the samples. */
export function placesFor({ samples = 1, compat }: GenerateOptions): number {
  return compat === undefined ? Math.max(1, Math.min(samples, SIDE_BY_SIDE)) : 1;
}

/**
 * Samples, each with its prompt in front. Sample i is the same whether asked for alone or among many (not with `compat`).
 * @throws MG_OPTION_VALUE, MG_GEN_PATTERN, MG_GEN_IMPOSSIBLE when not all samples can meet the demands,
 * MG_GEN_NONFINITE when the model is damaged, MG_TRAIN_BACKEND when there is no such backend.
 */
export function generate(model: Checkpoint, options: GenerateOptions = {}): string[] {
  requireCall('generate', model, options, GENERATE_NAMES);
  requireGenerate(options, model);
  const { threads } = options;
  const engine = createEngine(options.backend ?? 'auto', model.config, model.parameters, { threads });
  try {
    return sampleTexts(engine.decoder(placesFor(options)), model, undefined, options);
  } finally {
    engine.close();
  }
}

/** Samples from a decoder that is there already; `draw` replaces the one that seed and compat name. */
export function sampleTexts(
  decoder: Decoder,
  model: Model,
  draw: Draw | undefined,
  options: GenerateOptions,
): string[] {
  const texts: string[] = Array.from({ length: options.samples ?? 1 }, () => '');
  const { blockSize, vocabSize } = model.config;
  const scheduler = createScheduler(decoder, blockSize, vocabSize);
  const run = createSampleRun(scheduler, model, planSamples(model, options, draw), options, ({ sample, text }) => {
    texts[sample] += text;
  });
  run.refill();
  while (scheduler.turn() && run.failure() === null);
  if (run.failure() !== null) throw run.failure();
  return texts;
}
