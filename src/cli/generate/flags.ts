/**
 * The flags of microgpt generate, and the names that earlier systems gave them.
 */
import { randomInt } from 'node:crypto';
import type { Command } from 'commander';
import { MicrogptError } from '../../base/errors.js';
import type { Checkpoint } from '../../checkpoint/checkpoint.js';
import type { SamplingOptions } from '../../engine/generate-options.js';
import { note, unused } from '../output.js';
import { alias, decimal, oneOf, path, seed, whole } from '../values.js';

export interface GenerateFlags {
  readonly samples?: number;
  readonly temperature?: number;
  /** False for --no-seed. */
  readonly seed?: bigint | false;
  readonly prompt: string;
  readonly maxTokens?: number;
  readonly chain?: true;
  readonly chainContext?: number;
  readonly stop?: readonly string[];
  readonly stopToken?: readonly number[];
  readonly stopAtBos: boolean;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly repetitionWindow?: number;
  readonly asciiOnly?: boolean;
  readonly bias?: readonly (readonly [text: string, amount: number])[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly startsWith?: string;
  readonly endsWith?: string;
  readonly matches?: string;
  readonly unique?: true;
  readonly exclude?: string;
  readonly notInTraining?: string | true;
  readonly escapeBytes?: boolean;
  readonly printNextTop?: number;
  readonly printNextTopEachStep?: boolean;
  readonly compat?: 'python' | 'cpp' | 'rust';
  readonly json?: true;
}

const COMPATS = ['python', 'cpp', 'rust'] as const;

export function addGenerateFlags(command: Command): Command {
  addSamplingFlags(command)
    .option('-n, --samples <n>', 'how many (default: 20; 1 with --chain)', whole('--samples', 0, 1_000_000))
    .option('-i, --prompt <text>', 'text that every sample begins with', '')
    .option('--max-tokens <n>', 'most tokens to add to each', whole('--max-tokens', 0, 10_000_000))
    .option('--chain', 'go on when the context is full: the last half of it is read again (2,000 tokens by default)')
    .option(
      '--chain-context <n>',
      'as --chain, reading this many of the last tokens again',
      whole('--chain-context', 0, 65_536),
    )
    .option('--stop <text>', 'end a sample before this text; may be given several times', several)
    .option('--stop-token <id>', 'end a sample at this token; may be given several times', severalTokens)
    .option('--no-stop-at-bos', 'go on after BOS, until the context is full')
    .option('--min-length <n>', 'characters that a sample has at least', whole('--min-length', 0, 65_536))
    .option('--max-length <n>', 'characters that a sample has at most', whole('--max-length', 0, 65_536))
    .option('--starts-with <text>', 'how every sample begins')
    .option('--ends-with <text>', 'how every sample ends')
    .option('--matches <regex>', 'what every whole sample matches: literals, classes, . | * + ? {m,n} and groups')
    .option('--unique', 'no sample twice')
    .option(
      '--not-in-training [file]',
      'no sample that is a line of the training text (default: that of the run that made the model)',
    )
    .option('--exclude <file>', 'no sample that is a line of this file', path('--exclude'))
    .option('--escape-bytes [0|1]', 'print bytes beyond printable ASCII as \\xHH', onOff('--escape-bytes'))
    .option('--print-next-top <n>', 'before the first token, print the likeliest ones', whole('--print-next-top', 0))
    .option('--print-next-top-each-step [0|1]', 'before every token', onOff('--print-next-top-each-step'))
    .option('--json', 'print each sample as a line of JSON: also those with line ends in them come whole')
    .option(
      '--compat <program>',
      'draw as an earlier program does: python, cpp (the byte-level trainer), rust',
      oneOf('--compat', COMPATS),
    );
  for (const [name, other] of [
    ['--samples', '--num-samples'],
    ['--prompt', '--input'],
    ['--max-tokens', '--gen'],
    ['--max-tokens', '--max-chars'],
  ]) {
    alias(command, name, other);
  }
  return command;
}

/** How tokens are drawn: the same for generate and chat. */
export function addSamplingFlags(command: Command): Command {
  command
    .option(
      '-t, --temperature <x>',
      '0 takes the likeliest, 1 is as the model thinks (default: 0.5)',
      decimal('--temperature', 0, 100),
    )
    .option('--seed <n>', 'another seed, other text (default: 42)', seed('--seed'))
    .option('--no-seed', 'other text each time; the seed is printed, to have it again')
    .option('--top-k <n>', 'only the k most likely tokens; 0 for all', whole('--top-k', 0))
    .option('--top-p <x>', 'only the most likely tokens that have this probability together', decimal('--top-p', 0, 1))
    .option('--min-p <x>', 'only tokens at least this many times as likely as the likeliest', decimal('--min-p', 0, 1))
    .option(
      '--repetition-penalty <x>',
      'above 1, what was said becomes less likely, once more for each time',
      decimal('--repetition-penalty', 0, 100, true),
    )
    .option(
      '--repetition-window <n>',
      'how many of the last tokens count as said (default: all)',
      whole('--repetition-window', 0),
    )
    .option(
      '--bias <text=x>',
      'add x to the logits of these characters; -inf forbids them; may be given several times',
      severalBiases,
    )
    .option('--ascii-only [0|1]', 'only printable ASCII, tab and line ends', onOff('--ascii-only'));
  alias(command, '--temperature', '--temp');
  alias(command, '--top-k', '--topk');
  return command;
}

/** What is asked of the drawing and changes nothing of it. */
export function saysOfUnused({ repetitionPenalty = 1, repetitionWindow }: GenerateFlags): void {
  if (repetitionWindow !== undefined && repetitionPenalty === 1)
    unused('--repetition-window', 'nothing is made less likely without --repetition-penalty');
}

/** The seed that was asked for. With --no-seed one that nobody chose, said in a note, because what cannot be repeated cannot be shown to anyone. */
export function seedOf({ seed }: Pick<GenerateFlags, 'seed'>): bigint | undefined {
  if (seed !== false) return seed;
  const drawn = BigInt(randomInt(2 ** 32));
  note(`--seed ${drawn} gives the same text again`);
  return drawn;
}

function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function severalTokens(value: string, before: readonly number[] = []): readonly number[] {
  return [...before, whole('--stop-token', 0)(value)];
}

type Bias = readonly [text: string, amount: number];

function severalBiases(value: string, before: readonly Bias[] = []): readonly Bias[] {
  const found = /^(.+)=([+-]?(?:\d*\.?\d+|\d+\.))$|^(.+)=-inf(?:inity)?$/su.exec(value);
  if (found === null) {
    throw new MicrogptError(
      'MG_CLI_VALUE',
      `--bias is ${JSON.stringify(value)}, expected characters, = and a number or -inf`,
      'give it like this: --bias e=-2',
    );
  }
  return [...before, found[3] === undefined ? [found[1], Number(found[2])] : [found[3], Number.NEGATIVE_INFINITY]];
}

/** A switch that earlier programs give as 0 or 1. */
export function onOff(flag: string): (value: string | undefined) => boolean {
  return (value) => {
    if (value === undefined || value === '1') return true;
    if (value === '0') return false;
    throw new MicrogptError(
      'MG_CLI_VALUE',
      `${flag} is ${JSON.stringify(value)}, expected 0 or 1`,
      `give ${flag} alone, or 0 or 1`,
    );
  };
}

/** The flags of `addSamplingFlags` as the library's options. @throws MG_CLI_VALUE as `biasOf` */
export function samplingOf(flags: GenerateFlags, tokenizer: Checkpoint['tokenizer']): SamplingOptions {
  const { topK, topP, minP, repetitionPenalty, repetitionWindow, asciiOnly, bias } = flags;
  return {
    topK,
    topP,
    minP,
    repetitionPenalty,
    repetitionWindow,
    asciiOnly,
    bias: bias && biasOf(bias, tokenizer),
  };
}

/** Biases of characters as biases of tokens. @throws MG_CLI_VALUE when the model does not know one. */
function biasOf(biases: readonly Bias[], tokenizer: Checkpoint['tokenizer']): Map<number, number> {
  const out = new Map<number, number>();
  for (const [text, amount] of biases) {
    const { ids, unknown } = tokenizer.encode(text);
    if (unknown.length > 0) {
      throw new MicrogptError(
        'MG_CLI_VALUE',
        `--bias names ${JSON.stringify(unknown[0])}, which the model does not know`,
        'name characters of the model: microgpt info shows them',
      );
    }
    for (const id of ids) out.set(id, amount);
  }
  return out;
}
