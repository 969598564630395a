/**
 * microgpt convert: a model in another format. What the new format cannot hold is said, never dropped in silence.
 */
import type { Command } from 'commander';
import { MicrogptError } from '../base/errors.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { FORMAT_WORDS, formatCalled } from '../checkpoint/formats.js';
import type { Precision } from '../checkpoint/safetensors-weights.js';
import { roundingCost } from '../engine/rounding.js';
import { ACTIVATIONS, type ModelConfig } from '../model/config.js';
import { findModel } from '../node/bundled-models.js';
import { readDocuments } from '../node/corpora.js';
import { loadModel, saveModelAs } from '../node/models.js';
import { counted, note, say, size, unused } from './output.js';
import { oneOf, path } from './values.js';

interface ConvertFlags {
  readonly to?: string;
  readonly half?: boolean;
  readonly int8?: boolean;
  readonly data?: string;
  readonly activation?: ModelConfig['activation'];
}

export function addConvert(program: Command): void {
  program
    .command('convert')
    .summary('write a model in another format')
    .description(
      'Writes a model in another format, chosen by the name of the result: .safetensors (holds everything), .json (nested model.json),\n' +
        'a folder with / at its end (weights.json + meta.json), any other name (prefix: NAME.json + NAME.bin).',
    )
    .argument('<in>', 'model: a file, a prefix, a folder, or a name as for --model')
    .argument('<out>', 'what to write')
    .option(
      '--to <format>',
      `another format than the name says: ${FORMAT_WORDS.join(', ')}`,
      oneOf('--to', FORMAT_WORDS),
    )
    .option('--half', 'round weights to 16 bits (.safetensors)')
    .option('--int8', 'round weights to 8 bits, with a scale per row (.safetensors)')
    .option(
      '--data <file>',
      'text to measure on what rounding costs, one example per line (default: samples of the model)',
      path('--data'),
    )
    .option(
      '--activation <name>',
      `for files that do not say theirs: ${ACTIVATIONS.join(', ')}`,
      oneOf('--activation', ACTIVATIONS),
    )
    .addHelpText(
      'after',
      `
Examples:
  microgpt convert model.json model.safetensors
  microgpt convert models/names flat.json --to flat     for the scenario scripts
  microgpt convert model.json output/                   weights.json + meta.json
  microgpt convert runs/bytes ckpt                      ckpt.json + ckpt.bin, for the C++ trainer
  microgpt convert model.json small.safetensors --int8`,
    )
    .action((from: string, to: string, flags: ConvertFlags) => convert(from, to, flags));
}

async function convert(from: string, to: string, flags: ConvertFlags): Promise<void> {
  if (flags.half && flags.int8) {
    throw new MicrogptError('MG_CLI_USAGE', '--half and --int8 exclude each other', 'give one of them');
  }
  if (to === '') throw new MicrogptError('MG_CLI_VALUE', 'the path of the result is empty', 'give a path');
  if (flags.data !== undefined && !flags.half && !flags.int8)
    unused('--data', 'it is to measure what rounding costs, and nothing is rounded');
  const precision: Precision = flags.half ? 'half' : flags.int8 ? 'int8' : 'exact';
  const { checkpoint, format, notes, bytes, file } = await loadModel((await findModel(from)).path, {
    activation: flags.activation,
  });
  for (const sentence of notes) note(sentence);
  const documents = flags.data === undefined || precision === 'exact' ? undefined : await readDocuments(flags.data);
  const saved = await saveModelAs(to, checkpoint, {
    precision,
    format: flags.to === undefined ? undefined : formatCalled(flags.to),
  });
  say(`read ${file} (${format}, ${size(bytes)})`);
  for (const phrase of saved.lost) say(`lost: ${phrase}`);
  if (precision !== 'exact') await sayCost(checkpoint, saved.paths[0], documents);
  say(`saved ${saved.paths.join(' and ')} (${saved.format}, ${size(saved.bytes)})`);
}

/** Reads back what was written, so that the figure is of the file and not of an intention. */
async function sayCost(exact: Checkpoint, written: string, documents: readonly string[] | undefined): Promise<void> {
  const cost = roundingCost(exact, (await loadModel(written)).checkpoint, documents);
  if (cost === null) return;
  const { before, after, tokens } = cost;
  const change = after - before;
  const where = documents === undefined ? 'of the model’s own samples' : 'of the data';
  say(
    `loss ${before.toFixed(4)} → ${after.toFixed(4)} (${change < 0 ? '' : '+'}${change.toFixed(4)}) on ${counted(tokens, 'token')} ${where}`,
  );
}
