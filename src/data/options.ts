/**
 * Checks on the options of a corpus, before anything is read: ranges, and a tokenizer that can do what the format needs.
 */
import { MicrogptError } from '../base/errors.js';
import type { OptionNames } from '../base/options.js';
import { type CorpusOptions, FORMAT_NAMES } from './corpus.js';

export const CORPUS_NAMES: OptionNames<CorpusOptions> = {
  format: true,
  source: true,
  tokenizer: true,
  bosPlace: true,
  unknown: true,
  encoding: true,
  heldOut: true,
  chunkSize: true,
  chunkOverlap: true,
  trailingBos: true,
  loss: true,
  column: true,
  header: true,
};

/** @throws MG_OPTION_VALUE */
export function requireCorpusOptions(options: CorpusOptions): void {
  const { format, tokenizer = 'char', heldOut = 0, column } = options;
  const { chunkSize = 128, chunkOverlap = 0 } = options;
  if (!FORMAT_NAMES.includes(format)) refuse('format', format, FORMAT_NAMES.join(', '));
  if (!(heldOut >= 0 && heldOut <= 0.5)) refuse('heldOut', heldOut, 'a share from 0 to 0.5');
  if (!Number.isSafeInteger(chunkSize) || chunkSize < 1) refuse('chunkSize', chunkSize, 'a whole number from 1');
  if (!Number.isSafeInteger(chunkOverlap) || chunkOverlap < 0)
    refuse('chunkOverlap', chunkOverlap, 'a whole number from 0');
  if (typeof column === 'number' && (!Number.isSafeInteger(column) || column < 1)) {
    refuse('column', column, 'a name, or a whole number from 1');
  }
  if (typeof tokenizer === 'string') {
    if (tokenizer !== 'char' && tokenizer !== 'byte') refuse('tokenizer', tokenizer, 'char or byte');
    return;
  }
  if (format === 'bytes') {
    if (tokenizer.kind !== 'byte') refuse('tokenizer', 'one of characters', 'one of bytes, as the format is bytes');
  } else if (tokenizer.bos === null) {
    refuse('tokenizer', 'one without BOS', `one with BOS, as the format is ${format}`);
  }
  if (format === 'chat' && tokenizer.roles === null) {
    refuse('tokenizer', 'one without roles', 'one of a model that was trained on conversations');
  }
}

function refuse(name: string, value: unknown, expected: string): never {
  throw new MicrogptError(
    'MG_OPTION_VALUE',
    `${name} is ${String(value)}, expected ${expected}`,
    `give ${name} ${expected}`,
  );
}
