/**
 * microgpt eval: how well a model predicts a file. Also the checks of the earlier byte-level trainer, by its flags, in its words.
 */
import { Argument, type Command } from 'commander';
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { documentsFromLines } from '../data/documents.js';
import { requireTextFile } from '../data/file-kinds.js';
import { createUtf8Decoder } from '../data/utf8.js';
import { createSpaceCollapser } from '../data/white-space.js';
import { createScorer, type Scorer } from '../engine/score.js';
import { guessFileFormat, openCorpus } from '../node/corpus.js';
import { readFileBounded } from '../node/files.js';
import { runDataOf } from '../node/run-data.js';
import type { Evaluation } from '../score/evaluate.js';
import { sanityNextAtOffset, sanityNextFromData } from '../score/sanity.js';
import { addModelFlags, type ModelFlags, openModel } from './generate/generate.js';
import { counted, note, result } from './output.js';
import { eitherOf, oneOf, path, seed, whole, written } from './values.js';

const FORMATS = ['lines', 'text', 'chat', 'bytes'] as const;
const ENCODINGS = ['strict', 'lossy'] as const;

interface EvalFlags extends ModelFlags {
  readonly data?: string;
  readonly format?: (typeof FORMATS)[number];
  readonly encoding?: (typeof ENCODINGS)[number];
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
      'lines: each line a document; text: the file is one; chat: conversations (JSONL), of which the assistant’s words count; bytes: a stream ' +
        'of bytes (default: as the model was trained)',
      oneOf('--format', FORMATS),
    )
    .option(
      '--encoding <how>',
      'bytes that are not UTF-8: strict refuses, lossy replaces',
      oneOf('--encoding', ENCODINGS),
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
    .action((file: string | undefined, flags: EvalFlags) => {
      requireFitting(flags, (name) => command.getOptionValueSource(name) === 'cli');
      return evaluateFile(eitherOf('the file', file, '--data', flags.data), flags);
    });
}

/** What only the checks read, and what only an evaluation does. */
const OF_CHECKS = ['sanityCtx', 'sanityTop', 'sanityPreview', 'escapeBytes', 'seed'] as const;
const OF_EVALUATION = ['format', 'encoding', 'json'] as const;

/** @throws MG_CLI_USAGE for flags of which one takes the place of another */
function requireFitting(flags: EvalFlags, isGiven: (name: string) => boolean): void {
  const isCheck = flags.sanityNextFromData > 0 || flags.sanityOffset >= 0;
  const lost = (isCheck ? OF_EVALUATION : OF_CHECKS).find(isGiven);
  if (lost === undefined) return;
  throw new MicrogptError(
    'MG_CLI_USAGE',
    `${written(lost)} ${isCheck ? 'has no place beside the checks of the earlier trainer' : 'belongs to the checks of the earlier trainer, and none is asked for'}`,
    isCheck ? 'leave it out' : 'add --sanity-next-from-data N or --sanity-offset BYTE, or leave it out',
  );
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
  const { checkpoint, path: modelPath } = await openModel(flags);
  const isCheck = flags.sanityNextFromData > 0 || flags.sanityOffset >= 0;
  const scorer = createScorer(checkpoint);
  try {
    if (isCheck) return checkBytes(bytes, checkpoint, scorer, flags);
    const found = await evaluate(file, bytes, checkpoint, modelPath, scorer, flags);
    printEvaluation(file, found, flags);
  } finally {
    scorer.close();
  }
}

type Format = (typeof FORMATS)[number];

interface Found extends Evaluation {
  readonly format: Format;
}

async function evaluate(
  file: string,
  bytes: Uint8Array,
  checkpoint: Checkpoint,
  modelPath: string,
  scorer: Scorer,
  { format: asked, encoding = 'strict' }: EvalFlags,
): Promise<Found> {
  const { tokenizer } = checkpoint;
  const learned = (await runDataOf(checkpoint, modelPath))?.settings.data.format;
  const format = asked ?? formatFor(file, checkpoint, learned, encoding === 'lossy');
  if (format === 'bytes') {
    if (tokenizer.kind === 'byte') return { format, ...scorer.evaluateStream(bytes) };
    throw new MicrogptError(
      'MG_CLI_VALUE',
      `--format bytes needs a model of bytes; the tokens of this one are ${tokenizer.size - 1} characters`,
      'choose --format lines or --format text',
    );
  }
  if (format === 'chat') return { format, ...(await evaluateConversations(file, checkpoint, scorer, encoding)) };
  requireTextFile(bytes, file);
  const decoder = createUtf8Decoder(
    file,
    encoding,
    'save the file as UTF-8 text, or replace what is wrong with --encoding lossy',
  );
  const text = decoder.push(bytes) + decoder.end();
  if (decoder.replaced() > 0) note(`${counted(decoder.replaced(), 'place')} not in UTF-8 became U+FFFD`);
  if (format === 'lines') return { format, ...scorer.evaluate(documentsFromLines(text, file)) };
  return { format, ...scorer.evaluate([learned === 'chunked' ? collapsed(text) : text]) };
}

/** As the model was trained, if this file can be read so. What is read as lines and looks like something else is said. */
function formatFor(file: string, { tokenizer }: Checkpoint, learned: string | undefined, lossy: boolean): Format {
  if (tokenizer.bos === null) return 'bytes';
  const guess = guessFileFormat(file, lossy);
  if (guess.format === 'chat' && tokenizer.roles !== null) return 'chat';
  if (learned === 'chunked') {
    note(
      'read as text, its white space collapsed, as the text that the model was trained on; --format lines for lines',
    );
    return 'text';
  }
  if (['chat', 'csv', 'tsv'].includes(guess.format)) {
    const why = guess.format === 'chat' ? ', for the model was trained on no conversations' : ', with all its columns';
    note(`read as lines${why}, although ${guess.because}`);
  } else if (tokenizer.roles !== null)
    note('read as lines, although the model was trained on conversations: the file has none in JSON');
  return 'lines';
}

/** Conversations by the reader that training has. */
async function evaluateConversations(
  file: string,
  { tokenizer }: Checkpoint,
  scorer: Scorer,
  encoding: (typeof ENCODINGS)[number],
): Promise<Evaluation> {
  if (tokenizer.roles === null) {
    throw new MicrogptError(
      'MG_CLI_VALUE',
      '--format chat needs a model that was trained on conversations, and this one was not',
      'choose --format lines, or name such a model with --model',
    );
  }
  const { train, facts, close } = await openCorpus(file, { format: 'chat', tokenizer, encoding });
  try {
    for (const sentence of facts.notes) note(sentence);
    if (train.kind === 'stream') throw new Error('conversations are documents');
    return scorer.evaluateSequences(train.count, (i) => train.document(i));
  } finally {
    close();
  }
}

/** White space of any length becomes one space, as prose is read for training. */
function collapsed(text: string): string {
  const parts: string[] = [];
  createSpaceCollapser()(text, (part) => parts.push(part));
  return parts.join('');
}

function printEvaluation(file: string, found: Found, { json }: EvalFlags): void {
  if (found.tokens === 0) {
    throw new MicrogptError('MG_DATA_EMPTY', `${file} has nothing to predict`, 'give a text of at least two bytes');
  }
  if (found.unknown > 0) {
    note(`${counted(found.unknown, 'character')} unknown to the model: counted in bits per character, not in the rest`);
  }
  if (json) {
    result(JSON.stringify({ file, ...found }));
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
