/**
 * microgpt score: how surprising lines are to a model, as they come in. One line in, one line out.
 * Invariant: what is printed of a line does not depend on the lines around it.
 */
import { once } from 'node:events';
import { Argument, type Command } from 'commander';
import { EXIT, MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Decoded } from '../checkpoint/checkpoint.js';
import { strip } from '../data/documents.js';
import { createScorer, type Scorer } from '../engine/score.js';
import { readDocuments } from '../node/corpora.js';
import { lineBatches } from '../node/lines.js';
import type { Calibration } from '../score/percentiles.js';
import type { TextScore } from '../score/text.js';
import { readPrompt } from '../tokenizer/small-letters.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { addModelFlags, type ModelFlags, openModel } from './generate/generate.js';
import { heldOutLines } from './held-out.js';
import { counted, note, printable, say } from './output.js';
import { path } from './values.js';

interface ScoreFlags extends ModelFlags {
  readonly json?: boolean;
  readonly perCharacter?: boolean;
  readonly calibrate?: string;
  readonly threshold?: Threshold;
  readonly invert?: boolean;
  readonly sort?: boolean;
  readonly foldCase?: boolean;
}

/** A percentile, or bits per character. */
type Threshold = { readonly percentile: number } | { readonly bits: number };

interface Scored extends TextScore {
  readonly line: string;
  readonly percentile: number | null;
}

/** Lines are scored so many at a time, and printed before more are read. */
const AT_ONCE = 512;

export function addScore(program: Command, exit: (code: number) => void): void {
  const command = program
    .command('score')
    .summary('say how surprising lines are to a model')
    .description(
      'Reads lines and prints for each: bits per character, log-probability (nats), percentile, the line. The percentile is the share of ' +
        'known lines that are less surprising: those of --calibrate, or those that the training run of the model held out.',
    )
    .addArgument(new Argument('[file]', 'a text file, or - for standard input').default('-'));
  addModelFlags(command)
    .option('--json', 'print JSON lines instead of columns')
    .option('--per-character', 'say how many bits each character costs, and the end of the line')
    .option('--fold-case', 'score a capital that the model does not know as its small letter, where it knows that')
    .option('--calibrate <file>', 'lines that are in order, to compare with', path('--calibrate'))
    .option(
      '--threshold <x>',
      'print only lines above it: p99 for a percentile, or bits per character; exit code 3 if any line is',
      threshold,
    )
    .option('--invert', 'print the lines that are not above the threshold')
    .option('--sort', 'when all lines have been read, print the most surprising first')
    .addHelpText(
      'after',
      `
White space around a line does not count, as in training. A character that the model does not know counts as the least likely one
there, and 20.1 bits more; with --fold-case a capital counts as its small letter, where the model knows only that. Exit code with --threshold: 3 when a line is above it, 0 when none is.

Examples:
  microgpt score names.txt --sort | head                the ten most surprising lines
  tail -f log | microgpt score --threshold p99          what does not look like the others
  microgpt score new.txt --calibrate known.txt --json`,
    )
    .action(async (file: string, flags: ScoreFlags) => exit(await scoreLines(file, flags)));
}

function threshold(value: string): Threshold {
  const [, percentile, bits] = /^(?:p(\d+(?:\.\d+)?)|(\d*\.?\d+))$/.exec(value) ?? [];
  if (percentile !== undefined && Number(percentile) <= 100) return { percentile: Number(percentile) };
  if (bits !== undefined) return { bits: Number(bits) };
  throw new MicrogptError(
    'MG_CLI_VALUE',
    `--threshold is ${JSON.stringify(value)}, expected p0 to p100, or bits per character`,
    'give for example --threshold p99 or --threshold 4.5',
  );
}

async function scoreLines(file: string, flags: ScoreFlags): Promise<number> {
  if (flags.invert && flags.threshold === undefined) {
    const remedy = 'add --threshold, such as --threshold p99, or leave it out';
    throw new MicrogptError('MG_CLI_USAGE', '--invert turns a threshold around, and there is none', remedy);
  }
  const model = await openModel(flags);
  const scorer = createScorer(model.checkpoint);
  try {
    const calibration = await calibrate(scorer, model, flags);
    if (file === '-' && process.stdin.isTTY) say('reading lines from the keyboard; Ctrl-D ends');
    return await scoreAll(file, flags, scorer, calibration, model.checkpoint.tokenizer);
  } finally {
    scorer.close();
  }
}

/** With fewer lines to compare with, a percentile is a step of more than one percent. */
const FEW = 100;

async function calibrate(
  scorer: Scorer,
  { checkpoint, path }: Decoded & { readonly path: string },
  flags: ScoreFlags,
): Promise<Calibration | null> {
  const { foldCase } = flags;
  if (flags.calibrate !== undefined) return scorer.calibrate(await readDocuments(flags.calibrate), { foldCase });
  const found = await heldOutLines(checkpoint, path);
  if ('lines' in found) {
    const known = found.lines.length;
    const rough = known < FEW ? ': too few for more than a rough idea, --calibrate FILE takes others' : '';
    note(`percentiles are among ${counted(known, 'line')} of ${found.path} that training held out${rough}`);
    return scorer.calibrate(found.lines, { foldCase });
  }
  if (flags.threshold !== undefined && 'percentile' in flags.threshold) {
    throw new MicrogptError(
      'MG_CLI_VALUE',
      `--threshold p${flags.threshold.percentile} needs lines to compare with, and ${found.why}`,
      'name a file of lines that are in order with --calibrate FILE, or give a number of bits per character',
    );
  }
  return null;
}

async function scoreAll(
  file: string,
  flags: ScoreFlags,
  scorer: Scorer,
  calibration: Calibration | null,
  tokenizer: Tokenizer,
): Promise<number> {
  const kept: Scored[] = []; // with --sort
  let units = 0;
  let found = false;
  let said = flags.foldCase === true; // that capitals could be read as small letters
  const detail = { perCharacter: flags.perCharacter, foldCase: flags.foldCase };
  const print = (scores: readonly Scored[]) => write(scores.map((one) => row(one, flags)));

  for await (const lines of lineBatches(file)) {
    for (let from = 0; from < lines.length; from += AT_ONCE) {
      const part = lines.slice(from, from + AT_ONCE);
      const scores = scorer.score(part.map(strip), detail).map(
        (score, i): Scored => ({
          ...score,
          line: part[i],
          percentile: calibration === null ? null : calibration.percentile(score.bitsPerCharacter),
        }),
      );
      if (!said) said = saysOfCapitals(tokenizer, scores);
      const above = scores.map((score) => isAbove(score, flags.threshold));
      found ||= above.includes(true);
      const chosen =
        flags.threshold === undefined ? scores : scores.filter((_, i) => above[i] !== (flags.invert === true));
      if (flags.sort !== true) await print(chosen);
      else {
        kept.push(...chosen);
        units += chosen.reduce((sum, { line }) => sum + line.length, 0);
        if (units > LIMITS.textBytes) throw tooMuch();
      }
    }
  }
  kept.sort((a, b) => b.bitsPerCharacter - a.bitsPerCharacter);
  for (let from = 0; from < kept.length; from += AT_ONCE) await print(kept.slice(from, from + AT_ONCE));
  return found ? EXIT.data : EXIT.ok;
}

/** Says once what capitals cost where small letters would do. */
function saysOfCapitals(tokenizer: Tokenizer, scores: readonly Scored[]): boolean {
  for (const { text, unknown } of scores) {
    const folded = unknown === 0 ? [] : readPrompt(tokenizer, text).folded;
    if (folded.length === 0) continue;
    note(
      `the model has no ${JSON.stringify(folded[0])}, which costs a line 20.1 bits and more; --fold-case reads small letters`,
    );
    return true;
  }
  return false;
}

function isAbove(score: Scored, limit: Threshold | undefined): boolean {
  if (limit === undefined) return false;
  return 'bits' in limit ? score.bitsPerCharacter > limit.bits : (score.percentile ?? 0) > limit.percentile;
}

function row(score: Scored, { json, perCharacter }: ScoreFlags): string {
  const { line, bits, bitsPerCharacter, logProbability, percentile, endBits, unknown, characters } = score;
  if (json) {
    const parts = perCharacter ? { characters, endBits } : {};
    return JSON.stringify({ text: line, bitsPerCharacter, bits, logProbability, percentile, unknown, ...parts });
  }
  const each = [...(characters ?? []).map((character) => character.bits), endBits].map((b) => b.toFixed(2)).join(' ');
  const columns = [
    bitsPerCharacter.toFixed(4),
    logProbability.toFixed(4),
    percentile === null ? '-' : percentile.toFixed(1),
    ...(perCharacter ? [each] : []),
  ];
  return `${columns.join('\t')}\t${process.stdout.isTTY ? printable(line) : line}`;
}

/** Waits until whoever reads has taken it. */
async function write(lines: readonly string[]): Promise<void> {
  if (lines.length > 0 && !process.stdout.write(`${lines.join('\n')}\n`)) await once(process.stdout, 'drain');
}

function tooMuch(): MicrogptError {
  return new MicrogptError(
    'MG_FILE_SIZE',
    `there are more than the ${counted(LIMITS.textBytes, 'character')} that --sort keeps in memory`,
    'leave --sort out and sort afterwards: microgpt score … | sort -rn',
  );
}
