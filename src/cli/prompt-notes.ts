/**
 * What is said on stderr about a prompt that a model cannot read as it stands.
 * Invariant: no letter is lost without a word.
 */
import { readPrompt } from '../tokenizer/small-letters.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { note, printable } from './output.js';

/** So many characters of a prompt are shown. */
const SHOWN = 60;

/** `strict`: capitals are not read as small letters, as in the programs that came before. */
export function saysOfReading(tokenizer: Tokenizer, prompt: string, echoed: boolean, strict = false): void {
  const read = readPrompt(tokenizer, prompt);
  const unknown = strict ? tokenizer.encode(prompt).unknown : read.unknown;
  if (!strict && read.folded.length > 0) {
    const text = [...read.text].length > SHOWN ? `${[...read.text].slice(0, SHOWN).join('')}…` : read.text;
    note(`the prompt is read as ${printable(JSON.stringify(text))}: the model has no ${list(read.folded)}`);
  }
  if (unknown.length > 0) {
    const kept = echoed ? ', kept in what is printed' : '';
    note(`the model does not know ${list(unknown)}: left out of what it reads${kept}`);
  }
}

/** Pieces in quotes, ten at the most. */
function list(pieces: readonly string[]): string {
  const shown = pieces.slice(0, 10).map((piece) => JSON.stringify(piece));
  return `${shown.join(', ')}${pieces.length > 10 ? ' …' : ''}`;
}
