/**
 * microgpt generate: samples from a model file, one per line on stdout.
 */
import type { Command } from 'commander';
import type { Decoded } from '../checkpoint/checkpoint.js';
import { generate } from '../engine/text.js';
import { ACTIVATIONS, type ModelConfig } from '../model/config.js';
import { findNewestModel, loadModel } from '../node/models.js';
import { note, result } from './output.js';
import { alias, decimal, oneOf, path, seed, whole } from './values.js';

export interface ModelFlags {
  readonly model?: string;
  readonly activation?: ModelConfig['activation'];
}

interface GenerateFlags extends ModelFlags {
  readonly samples: number;
  readonly temperature: number;
  readonly seed?: bigint;
  readonly prompt: string;
  readonly compat?: 'python';
}

export function addGenerate(program: Command): void {
  const command = program
    .command('generate')
    .summary('print new samples from a model')
    .description('Prints new samples from a model, one per line. The same seed always gives the same samples.');
  addModelFlags(command)
    .option('-n, --samples <n>', 'how many', whole('--samples', 0, 1_000_000), 20)
    .option(
      '-t, --temperature <x>',
      '0 takes the likeliest, 1 is as the model thinks',
      decimal('--temperature', 0, 100),
      0.5,
    )
    .option('--seed <n>', 'another seed, other samples (default: 42)', seed('--seed'))
    .option('-i, --prompt <text>', 'text that every sample begins with', '')
    .option('--compat <program>', 'draw as the earlier Python programs do: python', oneOf('--compat', ['python']))
    .addHelpText(
      'after',
      `
Examples:
  microgpt generate                            20 samples from the newest model in ./models
  microgpt generate -n 5 --prompt an           5 that begin with "an"
  microgpt generate --model models/names/model.json --temperature 0.8 --seed 7`,
    )
    .action((flags: GenerateFlags) => printSamples(flags));
  alias(command, '--samples', '--num-samples');
  alias(command, '--prompt', '--input');
}

/** --model and what belongs to it, for every command that opens a model. */
export function addModelFlags(command: Command): Command {
  command
    .option(
      '-m, --model <path>',
      'model file, or its folder (default: the newest in ./models, or ./model.json)',
      path('--model'),
    )
    .option(
      '--activation <name>',
      `for files that do not say theirs: ${ACTIVATIONS.join(', ')}`,
      oneOf('--activation', ACTIVATIONS),
    );
  alias(command, '--model', '--model-dir');
  return command;
}

/** Opens the model that the flags name, or the newest; says on stderr what it had to find or assume. */
export async function openModel(flags: ModelFlags): Promise<Decoded & { readonly path: string }> {
  const path = flags.model ?? (await findNewestModel());
  if (flags.model === undefined) note(`using ${path}`);
  const decoded = await loadModel(path, { activation: flags.activation });
  for (const sentence of decoded.notes) note(sentence);
  return { ...decoded, path };
}

async function printSamples(flags: GenerateFlags): Promise<void> {
  const { checkpoint, format } = await openModel(flags);
  const { ids, unknown } = checkpoint.tokenizer.encode(flags.prompt);
  if (unknown.length > 0) {
    note(
      `the model does not know ${unknown.map((c) => JSON.stringify(c)).join(', ')}: left out of what it reads, kept in what is printed`,
    );
  }
  const { blockSize } = checkpoint.config;
  if (ids.length >= blockSize) {
    note(
      `the prompt has ${ids.length} characters and the context holds ${blockSize - 1} after BOS: the model reads the first ${blockSize - 1}`,
    );
  }
  const compat = flags.compat && (format === 'flat model.json' ? 'python-scenario' : 'python');
  const { samples, temperature, prompt } = flags;
  for (const text of generate(checkpoint, { samples, temperature, prompt, seed: flags.seed, compat })) result(text);
}
