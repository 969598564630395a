/**
 * microgpt data inspect: what is in a text, what training would make of it, and which sizes suit it.
 */
import type { Command } from 'commander';
import { LIMITS } from '../../base/limits.js';
import { FORMAT_NAMES, type Format, withinContext } from '../../data/corpus.js';
import type { Guess } from '../../data/guess-format.js';
import { cutBy, documentLengths, duplicates, rareCharacters } from '../../data/inspect.js';
import { modelConfig } from '../../model/config.js';
import { parameterTable } from '../../model/parameters.js';
import { guessFileFormat, type OpenCorpus, openCorpus } from '../../node/corpus.js';
import { sizesFor } from '../../train/sizes.js';
import { count, counted, note, printable, result, size, unused } from '../output.js';
import { addTableFlags, firstRowNotes, headerOf, type TableFlags, tableOptions } from '../table-flags.js';
import { oneOf, whole } from '../values.js';

interface InspectFlags extends TableFlags {
  readonly format?: Format;
  readonly encoding?: 'strict' | 'lossy';
  readonly blockSize?: number;
  readonly chunkSize?: number;
  readonly json?: boolean;
}

export function addInspect(data: Command): void {
  const command = data
    .command('inspect')
    .summary('look at a text before training on it')
    .description('Reads a text as training would, and says what is in it: documents, lengths, characters, duplicates.')
    .argument('<file>', 'the text')
    .option('--format <name>', `${FORMAT_NAMES.join(', ')} (default: guessed)`, oneOf('--format', FORMAT_NAMES));
  addTableFlags(command)
    .option('--encoding <how>', 'strict, or lossy: replace what is not UTF-8', oneOf('--encoding', ['strict', 'lossy']))
    .option('--block-size <n>', 'the context length to look at', whole('--block-size', 1, LIMITS.blockSize))
    .option('--chunk-size <n>', 'chunked: characters in a window', whole('--chunk-size', 1, LIMITS.blockSize))
    .option('--json', 'as one line of JSON')
    .addHelpText('after', '\nExample:\n  microgpt data inspect pets.txt')
    .action(inspect);
}

async function inspect(file: string, flags: InspectFlags): Promise<void> {
  const guess = flags.format === undefined ? guessFileFormat(file, flags.encoding === 'lossy') : null;
  const format = flags.format ?? guess!.format;
  const table = tableOptions(flags.column, headerOf(flags));
  for (const sentence of firstRowNotes({ format, ...table })) note(sentence);
  for (const [flag, value, formats] of [
    ['--column', flags.column, ['csv', 'tsv']],
    ['--header', flags.header, ['csv', 'tsv']],
    ['--chunk-size', flags.chunkSize, ['chunked']],
    ['--encoding', flags.encoding, FORMAT_NAMES.filter((name) => name !== 'bytes')],
  ] as const) {
    if (value !== undefined && !(formats as readonly string[]).includes(format))
      unused(flag, `the text is read as ${format}`);
  }
  const corpus = await openCorpus(file, {
    format,
    ...table,
    encoding: flags.encoding,
    chunkSize: flags.chunkSize,
  });
  try {
    const seen = look(corpus, flags.blockSize);
    if (flags.json) result(JSON.stringify({ file, guessed: guess !== null, ...seen }));
    else print(file, guess, seen);
  } finally {
    corpus.close();
  }
}

type Seen = ReturnType<typeof look>;

function look({ train, tokenizer, facts }: OpenCorpus, asked: number | undefined) {
  const lengths = train.kind === 'documents' ? documentLengths(train) : null;
  const { nEmbd, nHead, nLayer, ...sizes } = sizesFor(facts, null);
  const model = { nEmbd, nHead, nLayer, blockSize: sizes.blockSize };
  const blockSize = asked ?? model.blockSize;
  const usable = train.kind === 'documents' ? withinContext(train, blockSize) : null;
  const parameters = parameterTable(modelConfig({ ...model, vocabSize: tokenizer.size })).total;
  const { alphabet, longest: _, unknown: __, leftOut, ...rest } = facts;
  const rare = rareCharacters(facts);
  return {
    ...rest,
    leftOut,
    vocabulary: tokenizer.size,
    lengths: lengths && { min: lengths.min, median: lengths.median, p90: lengths.p90, max: lengths.max },
    alphabet: alphabet.length,
    rare: rare.map(([character, times]) => ({ character, times })),
    duplicates: train.kind === 'documents' && facts.format !== 'chunked' ? duplicates(train) : null,
    context: {
      blockSize,
      cut: lengths && cutBy(lengths, blockSize, facts.format !== 'chunked'),
      withoutAssistant: facts.format === 'chat' ? (usable?.leftOut ?? 0) : null,
      first: usable?.first ?? [],
    },
    suggested: { ...model, parameters, batchSize: sizes.batchSize, steps: sizes.steps },
  };
}

function print(file: string, guess: Guess | null, seen: Seen): void {
  const row = (name: string, text: string) => result(`${name.padEnd(18)}${text}`);
  const { lengths, context, suggested: s, duplicates: twice, rare } = seen;
  if (guess !== null) note(`read as ${guess.format}: ${guess.because}; choose another with --format`);
  for (const sentence of seen.notes) note(printable(sentence));
  row('file', `${file}, ${size(seen.bytes)}`);
  row('format', seen.format);
  row('sha256', seen.sha256 ?? '');
  row('documents', count(seen.documents));
  row('tokens', `${count(seen.tokens)} (${counted(seen.characters, 'character')})`);
  row(
    'vocabulary',
    `${counted(seen.vocabulary, 'token')}${seen.alphabet > 0 ? `, ${counted(seen.alphabet, 'character')}` : ''}`,
  );
  if (rare.length > 0) {
    const shown = rare.slice(0, 12).map(({ character, times }) => `${printable(JSON.stringify(character))} ×${times}`);
    row('rare characters', `${count(rare.length)}: ${shown.join(' ')}${rare.length > 12 ? ' …' : ''}`);
  }
  if (lengths !== null) {
    row(
      'lengths',
      `${lengths.min} to ${counted(lengths.max, 'token')}, median ${count(lengths.median)}, 90 % up to ${count(lengths.p90)}`,
    );
  }
  if (twice !== null) row('duplicates', `${twice.exact ? '' : 'about '}${count(twice.count)}`);
  if (context.cut !== null) {
    const { documents, tokens } = context.cut;
    const share = ((100 * documents) / seen.documents).toFixed(1);
    row(
      `context ${context.blockSize}`,
      `cuts ${counted(documents, 'document')} (${share} %), ${counted(tokens, 'token')} in all`,
    );
  }
  if (context.withoutAssistant !== null) {
    const which = context.first.length > 0 ? ` (${context.first.join(', ')} …)` : '';
    row('', `${count(context.withoutAssistant)} conversations have no word of the assistant in it${which}: left out`);
  }
  row(
    'train takes',
    `${s.nLayer} layers, ${s.nEmbd} wide, ${s.nHead} heads, context ${s.blockSize}: ${counted(s.parameters, 'parameter')}`,
  );
  row('', `${counted(s.steps, 'step')} of ${counted(s.batchSize, 'example')}, unless --time or flags say otherwise`);
}
