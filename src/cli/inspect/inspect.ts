/**
 * microgpt inspect: what a model sees in a prompt: the likeliest next tokens after each token, and the attention of every head.
 */
import type { Command } from 'commander';
import { type Inspection, inspect } from '../../engine/inspect.js';
import { readPrompt } from '../../tokenizer/small-letters.js';
import { addModelFlags, type ModelFlags, openModel } from '../generate/generate.js';
import { count, counted, note, result } from '../output.js';
import { saysOfReading } from '../prompt-notes.js';
import { whole } from '../values.js';
import { type HeatMap, heatMaps } from './heat-map.js';

interface InspectFlags extends ModelFlags {
  readonly prompt: string;
  readonly top: number;
  readonly json?: boolean;
}

/** Columns when nobody says how many there are, as in a pipe. */
const COLUMNS = 80;

export function addInspect(program: Command): void {
  const command = program
    .command('inspect')
    .summary('look inside a model while it reads a prompt')
    .description(
      'Prints the likeliest next tokens after each token of a prompt, and how every head shares its attention.',
    );
  addModelFlags(command)
    .option('-i, --prompt <text>', 'what the model reads', '')
    .option('--top <k>', 'how many next tokens to list', whole('--top', 1, 100), 5)
    .option('--json', 'print everything as JSON: probabilities, logits, attention weights')
    .addHelpText(
      'after',
      `
Example:
  microgpt inspect --prompt anna`,
    )
    .action((flags: InspectFlags) => printInspection(flags));
}

async function printInspection({ prompt, top, json, ...flags }: InspectFlags): Promise<void> {
  const { checkpoint } = await openModel(flags);
  const { config, tokenizer } = checkpoint;
  const { ids } = readPrompt(tokenizer, prompt);
  saysOfReading(tokenizer, prompt, false);
  const found = inspect(checkpoint, prompt, { top });
  if (found.tokens.length < ids.length + 1) {
    note(
      `the prompt has ${counted(ids.length, 'token')} and the context ${count(config.blockSize)}: the model reads its last part`,
    );
  }
  if (json) result(JSON.stringify(asJson(found, config.nHead, config.vocabSize)));
  else for (const line of asText(found, config.nHead, process.stdout.columns ?? COLUMNS)) result(line);
}

function asText({ tokens, next, look }: Inspection, heads: number, width: number): string[] {
  const lines = ['after      the likeliest next tokens'];
  for (const [t, { text }] of tokens.entries()) {
    const cells = next[t].map((one) => `${name(one.text)} ${percent(one.probability)}`);
    lines.push(...wrap(`${String(t).padStart(3)} ${name(text).padEnd(5)} `, cells, width));
  }
  lines.push('', 'attention: each row is a token, and how it looks at itself and the tokens before');
  lines.push('· below 5%  ░ from 5%  ▒ from 25%  ▓ from 50%  █ from 75%', '');
  const size = tokens.length * tokens.length;
  const maps = look.attention.flatMap((layer, l) =>
    Array.from(
      { length: heads },
      (_, h): HeatMap => ({
        title: `layer ${l} head ${h}`,
        values: layer.subarray(h * size, (h + 1) * size),
      }),
    ),
  );
  lines.push(
    ...heatMaps(
      maps,
      tokens.map(({ text }) => label(text)),
      width,
    ),
  );
  lines.pop();
  return lines;
}

/** Cells behind a label, in as many lines as it takes. */
function wrap(label: string, cells: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = label;
  for (const cell of cells) {
    if (line.length > label.length && line.length + cell.length > width) {
      lines.push(line.trimEnd());
      line = ' '.repeat(label.length);
    }
    line += `${cell.padEnd(12)} `;
  }
  return [...lines, line.trimEnd()];
}

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;

/** A token in a list: what cannot be seen is written out. */
function name(text: string | null): string {
  if (text === null) return 'BOS';
  return /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(text) || text.startsWith('\\x') ? text : JSON.stringify(text);
}

/** A token as one character of one column. */
function label(text: string | null): string {
  if (text === null) return '^';
  if (text === ' ' || text === '\\x20') return '␣';
  if (text.startsWith('\\x')) return '?';
  return /^[!-~\u00a1-\u02ff\u0370-\u058f]$/u.test(text) ? text : '?';
}

function asJson({ tokens, next, look }: Inspection, heads: number, vocabSize: number) {
  const T = tokens.length;
  const rows = (values: Float64Array, from: number, count: number, width: number) =>
    Array.from({ length: count }, (_, r) => [...values.subarray(from + r * width, from + (r + 1) * width)]);
  return {
    tokens,
    next,
    logits: rows(look.logits, 0, T, vocabSize), // [T,V]
    // [layer][head][T,T]
    attention: look.attention.map((layer) => Array.from({ length: heads }, (_, h) => rows(layer, h * T * T, T, T))),
  };
}
