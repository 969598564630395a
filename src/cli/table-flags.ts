/**
 * The flags that say which column of a CSV or TSV file is learned from, for `train` and `data inspect` alike.
 * Invariant: both read the same file the same way.
 */
import type { Command } from 'commander';
import type { CorpusOptions } from '../data/corpus.js';
import { HEADERS, type Header } from '../train/settings.js';
import { oneOf } from './values.js';

export interface TableFlags {
  readonly column?: string;
  readonly header?: Header | 'auto' | true;
}

export function addTableFlags(command: Command): Command {
  return command
    .option('--column <name>', 'csv, tsv: the column to learn from, by name or by number from 1')
    .option(
      '--header [yes|no|auto]',
      'csv, tsv: whether the first row has names (default: auto, yes unless --column is a number)',
      oneOf('--header', [...HEADERS, 'auto'] as const),
    );
}

/** What the flag says; undefined leaves it to the scenario, or to what `--column` is. */
export const headerOf = ({ header }: TableFlags): Header | undefined =>
  header === true ? 'yes' : header === 'auto' ? undefined : header;

/** Which column, and whether the first row has names, as a corpus is told. */
export function tableOptions(column: string | null | undefined, header: Header | undefined) {
  return {
    column: column == null ? undefined : /^\d+$/.test(column) ? Number(column) : column,
    header: header === undefined ? undefined : header === 'yes',
  } satisfies Partial<CorpusOptions>;
}

/** What should be said of a table whose first row nobody has spoken of. */
export function firstRowNotes({ format, column, header }: Partial<CorpusOptions>): string[] {
  if ((format !== 'csv' && format !== 'tsv') || typeof column !== 'number' || header !== undefined) return [];
  return [
    'the first row is taken as an example, since the column is given by its number; --header yes if it has names',
  ];
}
