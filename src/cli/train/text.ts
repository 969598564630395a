/**
 * The text to train on, opened: which format it has, and, while a large one is read, how far that is.
 * Refuses to know: models and training.
 */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { MicrogptError } from '../../base/errors.js';
import { guessFileFormat, type OpenCorpus, type OpenCorpusOptions, openCorpus } from '../../node/corpus.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import type { DataFormat } from '../../train/settings.js';
import { duration, screen, size } from '../output.js';
import type { ProgressScreen } from './progress.js';

/** Smaller ones are read before anybody wonders. */
const LARGE = 20_000_000;
const REDRAW_MS = 100;

/** What a file seems to be, and the note to show about it; a model that reads bytes, or conversations, takes nothing else. */
export function formatOf(
  path: string,
  start: Tokenizer | undefined,
  lossy: boolean,
): { readonly format: DataFormat; readonly notes: string[] } {
  if (start !== undefined && start.roles !== null) return { format: 'chat', notes: [] };
  if (start !== undefined && start.bos === null) return { format: 'bytes', notes: [] };
  const { format, because } = guessFileFormat(path, lossy);
  return { format, notes: [`read as ${format}: ${because}; choose another with --format`] };
}

/** @throws MG_CLI_USAGE when the model to start from has not the tokens that a text in this format is made of. */
export function requireReadable(format: DataFormat, start: Tokenizer, model: string): void {
  const fits =
    format === 'bytes' ? start.kind === 'byte' : start.bos !== null && (format !== 'chat' || start.roles !== null);
  if (fits) return;
  const reads = start.bos === null ? 'bytes' : start.roles === null ? 'texts of characters' : 'conversations';
  throw new MicrogptError(
    'MG_CLI_USAGE',
    `${model}, the model to start from, reads ${reads}, and this text would be read as ${format}`,
    start.bos === null
      ? 'read the text as bytes too, with --format bytes, or start from another model'
      : 'choose another --format, start from another model, or leave out --init-from',
  );
}

/** `openCorpus`, with progress on stderr. @throws what openCorpus throws */
export async function openText(path: string, options: OpenCorpusOptions): Promise<OpenCorpus> {
  const bytes = (await stat(path).catch(() => null))?.size ?? 0;
  if (bytes < LARGE) return openCorpus(path, options);
  const reading = createReading(screen, () => performance.now(), basename(path));
  try {
    return await openCorpus(path, { ...options, onProgress: reading.progress });
  } finally {
    reading.end();
  }
}

/** A line that is rewritten on a terminal; elsewhere one at each quarter. The last one stays, since preparing the run takes a moment too. */
export function createReading(screen: ProgressScreen, now: () => number, name: string) {
  const began = now();
  let drawn = Number.NEGATIVE_INFINITY;
  let quarters = 0;
  let whole = ''; // once everything has been read
  return {
    progress(done: number, of: number): void {
      const elapsed = (now() - began) / 1000;
      const left = duration(((of - done) * elapsed) / Math.max(1, done));
      const line = `reading ${name}: ${size(done)} of ${size(of)}, ${left} left`;
      if (done === of) whole = `read ${name}: ${size(of)} in ${duration(elapsed)}; preparing the run`;
      if (!screen.isTTY) {
        const quarter = Math.floor((4 * done) / of);
        if (quarter > quarters) screen.write(`${quarter === 4 ? whole : line}\n`);
        quarters = quarter;
      } else if (now() - drawn >= REDRAW_MS) {
        drawn = now();
        screen.write(`\r\u001b[K${line.slice(0, (screen.columns || 80) - 1)}`);
      }
    },
    end(): void {
      if (screen.isTTY) screen.write(`\r\u001b[K${whole === '' ? '' : `${whole}\n`}`);
    },
  };
}
