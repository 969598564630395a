/**
 * microgpt eval: how well a model predicts a file. Also the checks of the earlier byte-level trainer, by its flags, in its words.
 */
import { Argument, type Command } from 'commander';
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { decodeUtf8, documentsFromLines } from '../data/documents.js';
import { createScorer, type Scorer } from '../engine/score.js';
import { readFileBounded } from '../node/files.js';
import type { Evaluation } from '../score/evaluate.js';
import { sanityNextAtOffset, sanityNextFromData } from '../score/sanity.js';
import { addModelFlags, type ModelFlags, openModel } from './generate.js';
import { counted, note, result } from './output.js';
import { oneOf, path, seed, whole } from './values.js';

const FORMATS = ['lines', 'text', 'bytes'] as const;

interface EvalFlags extends ModelFlags {
  readonly data?: string;
  readonly format?: (typeof FORMATS)[number];
  readonly json?: boolean;
  readonly sanityNextFromData: number;
  readonly sanityOffset: number;
  readonly sanityCtx: number;
  readonly sanityTop: number;
  readonly sanityPreview: number;
  readonly escapeBytes: number;
  readonly seed?: bigint;
}

export function addEval(program: Command): void {
  const command = program
    .command('eval')
    .summary('say how well a model predicts a file')
    .description(
      'Prints the mean loss, perplexity, bits per character and how often the next token is among the first guesses. Every token counts ' +
        'once; where a text is longer than the context, it is read in overlapping pieces.',
    )
    .addArgument(new Argument('[file]', 'the text'));
  addModelFlags(command)
    .option('--data <file>', 'the same as the argument', path('--data'))
    .option(
      '--format <name>',
      'lines: each line a document; text: the file is one; bytes: a stream of bytes (default: lines, or bytes for models of raw bytes)',
      oneOf('--format', FORMATS),
    )
    .option('--json', 'print JSON')
    .optionsGroup('Checks of the earlier byte-level trainer, printed as it does:')
    .option(
      '--sanity-next-from-data <n>',
      'n random contexts of the file: what comes next?',
      whole('--sanity-next-from-data', 0, 1e6),
      0,
    )
    .option('--sanity-offset <byte>', 'the context that starts there; -1 for none', offset, -1)
    .option(
      '--sanity-ctx <bytes>',
      'length of the context; 0 for all that the model can see',
      whole('--sanity-ctx', 0),
      0,
    )
    .option('--sanity-top <k>', 'how many of the likeliest bytes to list', whole('--sanity-top', 0, 256), 10)
    .option('--sanity-preview <bytes>', 'how much of the context to show', whole('--sanity-preview', 0), 120)
    .option('--escape-bytes <0|1>', 'show unprintable bytes as \\xHH instead of dots', whole('--escape-bytes', 0, 1), 0)
    .option('--seed <n>', 'for the random contexts (default: 1)', seed('--seed'))
    .addHelpText(
      'after',
      `
Examples:
  microgpt eval names.txt
  microgpt eval book.txt --format text --json
  microgpt eval book.txt --model prefix.json --sanity-next-from-data 5 --sanity-ctx 64`,
    )
    .action((file: string | undefined, flags: EvalFlags) => evaluateFile(file ?? flags.data, flags));
}

/** A place in the file, or −1. */
function offset(value: string): number {
  return value === '-1' ? -1 : whole('--sanity-offset', 0)(value);
}

async function evaluateFile(file: string | undefined, flags: EvalFlags): Promise<void> {
  if (file === undefined) {
    throw new MicrogptError('MG_CLI_USAGE', 'eval needs a file', 'give the text to predict: microgpt eval FILE');
  }
  const bytes = await readFileBounded(file, LIMITS.textBytes, 'give the path of a text file');
  const { checkpoint } = await openModel(flags);
  const scorer = createScorer(checkpoint);
  try {
    if (flags.sanityNextFromData > 0 || flags.sanityOffset >= 0) checkBytes(bytes, checkpoint, scorer, flags);
    else printEvaluation(bytes, file, checkpoint, scorer, flags);
  } finally {
    scorer.close();
  }
}

function printEvaluation(
  bytes: Uint8Array,
  file: string,
  { tokenizer }: Checkpoint,
  scorer: Scorer,
  { format = tokenizer.bos === null ? 'bytes' : 'lines', json }: EvalFlags,
): void {
  if (format === 'bytes' && tokenizer.kind !== 'byte') {
    throw new MicrogptError(
      'MG_CLI_VALUE',
      `--format bytes needs a model of bytes; the tokens of this one are ${tokenizer.size - 1} characters`,
      'choose --format lines or --format text',
    );
  }
  const read = (): Evaluation => {
    if (format === 'bytes') return scorer.evaluateStream(bytes);
    const text = decodeUtf8(bytes, file);
    return scorer.evaluate(format === 'lines' ? documentsFromLines(text, file) : [text]);
  };
  const found = read();
  if (found.tokens === 0) {
    throw new MicrogptError('MG_DATA_EMPTY', `${file} has nothing to predict`, 'give a text of at least two bytes');
  }
  if (found.unknown > 0) {
    note(`${counted(found.unknown, 'character')} unknown to the model: counted in bits per character, not in the rest`);
  }
  if (json) {
    result(JSON.stringify({ file, format, ...found }));
    return;
  }
  const percent = (share: number) => `${(100 * share).toFixed(2)}%`;
  const rows: [string, string][] = [
    ['loss', `${found.loss.toFixed(6)} nats per token`],
    ['perplexity', found.perplexity.toPrecision(6)],
    ['bits', `${found.bitsPerCharacter.toFixed(6)} per character`],
    ['next token', `${percent(found.top1)} is the first guess, ${percent(found.top5)} among the first five`],
    ['counted', `${counted(found.tokens, 'token')}, ${counted(found.characters, 'character')}`],
  ];
  for (const [name, value] of rows) result(`${name.padEnd(14)}${value}`);
}

function checkBytes(bytes: Uint8Array, { config, tokenizer }: Checkpoint, scorer: Scorer, flags: EvalFlags): void {
  if (tokenizer.kind !== 'byte' || tokenizer.size !== 256) {
    throw new MicrogptError(
      'MG_CLI_VALUE',
      `the sanity checks read bytes: they need a model with 256 tokens, this one has ${tokenizer.size}`,
      'leave the --sanity flags out, or give a model of raw bytes',
    );
  }
  if (flags.sanityCtx > config.blockSize) {
    throw new MicrogptError(
      'MG_CLI_VALUE',
      `--sanity-ctx is ${flags.sanityCtx} and exceeds the context of the model, ${config.blockSize}`,
      `give at most --sanity-ctx ${config.blockSize}`,
    );
  }
  const options = {
    context: flags.sanityCtx || config.blockSize,
    top: flags.sanityTop,
    escapeBytes: flags.escapeBytes === 1,
  };
  if (flags.sanityNextFromData > 0) {
    const all = { ...options, seed: flags.seed ?? 1n };
    process.stdout.write(sanityNextFromData(bytes, scorer.predict, flags.sanityNextFromData, all));
  }
  if (flags.sanityOffset >= 0) {
    const all = { ...options, preview: flags.sanityPreview };
    process.stdout.write(sanityNextAtOffset(bytes, scorer.predict, flags.sanityOffset, all));
  }
}
