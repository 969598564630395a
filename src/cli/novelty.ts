/**
 * microgpt novelty: does a model repeat what it was trained on?
 */
import type { Command } from 'commander';
import { MicrogptError } from '../base/errors.js';
import { strip } from '../data/documents.js';
import { generate } from '../engine/text.js';
import { readDocuments } from '../node/corpora.js';
import { lineBatches } from '../node/lines.js';
import { MOST_SAMPLE_UNITS } from '../score/copied-runs.js';
import { type NoveltyReport, novelty } from '../score/novelty.js';
import { addModelFlags, type ModelFlags, openModel } from './generate/generate.js';
import { trainingLines, trainingText } from './held-out.js';
import { count, counted, printable, result, say, unused } from './output.js';
import { decimal, oneOf, path, seed, whole, written } from './values.js';

interface NoveltyFlags extends ModelFlags {
  readonly data?: string;
  readonly samplesFrom?: string;
  readonly samples?: number;
  readonly temperature?: number;
  readonly seed?: bigint;
  readonly format?: Format;
  readonly json?: boolean;
}

const FORMATS = ['lines', 'text'] as const;
type Format = (typeof FORMATS)[number];

export function addNovelty(program: Command): void {
  const command = program
    .command('novelty')
    .summary('say whether a model repeats its training text')
    .description(
      'Compares samples with the lines of the training text: how many are there word for word, how many nearly (one ' +
        'edit away, two where they have 10 characters or more), and how long a run of characters is copied.',
    );
  addModelFlags(command)
    .option('--data <file>', 'the training text (default: that of the run that made the model)', path('--data'))
    .option(
      '--format <name>',
      'lines: each line is a text of its own; text: prose, in which white space is all the same (default: as the run read it, or lines)',
      oneOf('--format', FORMATS),
    )
    .option('--samples-from <file>', 'samples made before, one per line; - for standard input', path('--samples-from'))
    .option('-n, --samples <n>', 'how many samples to make (default: 1000)', whole('--samples', 1, 100_000))
    .option('-t, --temperature <x>', 'how freely to make them (default: 0.5)', decimal('--temperature', 0, 100))
    .option('--seed <n>', 'another seed, other samples (default: 42)', seed('--seed'))
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  microgpt novelty --data names.txt
  microgpt generate -n 500 | microgpt novelty --samples-from - --data names.txt`,
    )
    .action((flags: NoveltyFlags) => printNovelty(flags));
}

async function printNovelty(flags: NoveltyFlags): Promise<void> {
  const { samples, data, format, lines } = await gather(flags);
  const units = samples.reduce((sum, sample) => sum + sample.length, 0);
  if (samples.length === 0) throw new MicrogptError('MG_DATA_EMPTY', 'there are no samples', 'give at least one line');
  if (units > MOST_SAMPLE_UNITS) {
    throw new MicrogptError(
      'MG_FILE_SIZE',
      `the samples have ${counted(units, 'character')} in all, at most ${count(MOST_SAMPLE_UNITS)} are compared`,
      'compare fewer samples at a time',
    );
  }
  const whole = format === 'text';
  const report = novelty(samples, whole ? [collapsed(lines.join(' '))] : lines, { whole });
  if (flags.json) {
    result(JSON.stringify({ data, ...report }));
    return;
  }
  const rows: [string, string][] = [
    ['samples', `${count(report.samples)}, of which ${count(report.distinct)} distinct`],
    ['training text', whole ? data : `${count(report.trainingLines)} different lines in ${data}`],
    ['word for word', share(report.exact, report.samples)],
    ...(whole ? [] : near(report)),
    ['longest copy', `${counted(report.longestRun.length, 'character')}: ${cut(report.longestRun.text)}`],
    ['', `half of the samples are at least ${(100 * report.medianCopiedShare).toFixed(1)}% one copied run`],
    ['new', report.newExamples.map(cut).join(', ') || 'none'],
  ];
  for (const [name, value] of rows) result(`${name.padEnd(15)}${value}`);
  result('');
  for (const sentence of report.sentences) result(sentence);
}

function near(report: NoveltyReport): [string, string][] {
  const chance = (100 * report.nearAmongTraining).toFixed(1);
  return [
    ['nearly', share(report.near, report.samples)],
    ['', `for comparison: ${chance}% of training lines have another one that near`],
  ];
}

interface Gathered {
  readonly samples: string[];
  readonly data: string;
  readonly format: Format;
  /** Of the training text; of a table what the run read of it, since a line of one is more than that. */
  readonly lines: readonly string[];
}

async function gather(flags: NoveltyFlags): Promise<Gathered> {
  if (flags.samplesFrom !== undefined) {
    const made = (['samples', 'temperature', 'seed'] as const).filter((name) => flags[name] !== undefined);
    const named = (['model', 'scenario'] as const).filter(
      (name) => flags.data !== undefined && flags[name] !== undefined,
    );
    for (const name of [...made, ...named]) unused(written(name), 'the samples are those of --samples-from');
  }
  if (flags.samplesFrom !== undefined && flags.data !== undefined) {
    const format = flags.format ?? 'lines';
    const lines = await readDocuments(flags.data);
    return { samples: await readSamples(flags.samplesFrom, format), data: flags.data, format, lines };
  }
  const { checkpoint, path: modelPath } = await openModel(flags);
  if (checkpoint.tokenizer.roles !== null && flags.samplesFrom === undefined) throw notOfConversations();
  const found = await trainingText(checkpoint, modelPath);
  const data = flags.data ?? dataOf(found);
  const isTable = flags.data === undefined && 'run' in found && /^[ct]sv$/.test(found.run.settings.data.format);
  const known = isTable ? await trainingLines(checkpoint, modelPath) : null;
  const prose = 'run' in found && (found.run.settings.data.format === 'chunked' || checkpoint.tokenizer.bos === null);
  const format = flags.format ?? (prose ? 'text' : 'lines');
  // Before the samples are made: what is wrong with the text is said now, and not after the work.
  const lines = known !== null && 'lines' in known ? known.lines : await readDocuments(data);
  if (flags.samplesFrom !== undefined)
    return { samples: await readSamples(flags.samplesFrom, format), data, format, lines };
  const { samples = 1000, temperature = 0.5, seed } = flags;
  say(`making ${counted(samples, 'sample')} …`);
  const made = generate(checkpoint, { samples, temperature, seed });
  return { samples: made.map(format === 'text' ? collapsed : strip), data, format, lines };
}

/** What such a model writes by itself is no line of its file, whose lines are JSON: they would never meet. */
function notOfConversations(): MicrogptError {
  return new MicrogptError(
    'MG_CLI_USAGE',
    'this model was trained on conversations, and novelty compares lines of text',
    'give replies and texts, one per line each: microgpt novelty --samples-from REPLIES --data FILE',
  );
}

function dataOf(found: Awaited<ReturnType<typeof trainingText>>): string {
  if ('path' in found) return found.path;
  throw new MicrogptError(
    'MG_CLI_USAGE',
    `there is no training text to compare with: ${found.why}`,
    'name it with --data FILE',
  );
}

async function readSamples(file: string, format: Format): Promise<string[]> {
  const clean = format === 'text' ? collapsed : strip;
  const samples: string[] = [];
  for await (const lines of lineBatches(file)) samples.push(...lines.map(clean).filter((line) => line !== ''));
  return samples;
}

/** White space of any length becomes one space, as prose is read for training. */
function collapsed(text: string): string {
  return strip(text).replace(/\s+/g, ' ');
}

const share = (n: number, of: number) => `${count(n)} of ${count(of)} (${((100 * n) / of).toFixed(1)}%)`;
const cut = (text: string) =>
  printable(JSON.stringify([...text].length > 60 ? `${[...text].slice(0, 59).join('')}…` : text));
