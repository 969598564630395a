/**
 * Tables as text (RFC 4180: cells between commas or tabs, quoted where they hold one, a line break or a quote) → the cells of one column,
 * each a document. Refuses to know: tokens and files. Invariant: where the parts are cut changes nothing.
 */
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import type { DocumentWriter } from './document-writer.js';
import { LONGEST_LINE, type TextReader } from './readers.js';
import { strip } from './white-space.js';

export interface TableOptions {
  readonly format: 'csv' | 'tsv';
  /** Name, or number from 1. */
  readonly column: string | number | undefined;
  readonly header: boolean;
  readonly source: string;
}

/** @throws MG_DATA_TABLE from push and end: no such column, a quote left open, text after a quote. */
export function tableReader(writer: DocumentWriter, { format, column, header, source }: TableOptions): TextReader {
  const wanted = typeof column === 'string' && /^\d+$/.test(column) && !header ? Number(column) : column;
  let chosen = typeof wanted === 'number' ? wanted - 1 : -1; // the place of the column, once it is known
  let names: string[] | null = header ? [] : null; // cells of the first row, until it ends
  let separator = format === 'tsv' ? '\t' : '';
  let rows = 0;
  let short = 0;
  let firstShort = 0;

  let row = 1;
  let cell = 0;
  let text = '';
  let state: 'start' | 'plain' | 'quoted' | 'quote' = 'start'; // `quote`: after a quote in a quoted cell
  let found = false;
  let afterCr = false;

  const fail = (what: string, remedy = 'correct the row, or read the file another way with --format') =>
    new MicrogptError('MG_DATA_TABLE', `${source}, row ${count(row)}: ${what}`, remedy);

  function add(part: string): void {
    if (names === null && cell !== chosen) return;
    text += part;
    if (text.length > LONGEST_LINE) throw fail('a cell of more than 16 MiB; is a quote left open?');
  }

  function endCell(): void {
    if (names !== null) names.push(strip(text));
    else if (cell === chosen) {
      found = true;
      const document = strip(text.replace(/\r\n?/g, '\n'));
      if (document !== '') {
        writer.text(document);
        writer.end();
      }
    }
    text = '';
    cell++;
    state = 'start';
  }

  function endRow(): void {
    const empty = cell === 0 && state === 'start';
    if (!empty) {
      endCell();
      if (names !== null) {
        if (typeof wanted === 'string') chosen = names.indexOf(wanted);
        if (chosen < 0 || chosen >= names.length) throw noColumn(names);
        names = null;
      } else {
        rows++;
        if (!found) {
          short++;
          firstShort ||= row;
        }
      }
    }
    cell = 0;
    found = false;
    row++;
  }

  function noColumn(all: readonly string[]): MicrogptError {
    const which =
      wanted === undefined ? 'no column is chosen; there are' : `there is no column ${JSON.stringify(wanted)} among`;
    const shown = all.slice(0, 12).map((name) => JSON.stringify(name.slice(0, 40)));
    return fail(
      `${which} ${shown.join(', ')}${all.length > 12 ? ' …' : ''}`,
      'give one of these names, or a number from 1, with --column',
    );
  }

  return {
    push(part) {
      if (separator === '' && part !== '') separator = separatorOf(part);
      let from = 0; // of the stretch that belongs to the cell and was not added yet
      const take = (to: number) => {
        if (to > from) add(part.slice(from, to));
      };
      for (let i = 0; i < part.length; i++) {
        const c = part[i];
        if (afterCr) {
          afterCr = false;
          if (c === '\n') {
            from = i + 1;
            continue;
          }
        }
        if (state === 'quoted') {
          if (c !== '"') continue;
          take(i);
          from = i + 1;
          state = 'quote';
        } else if (c === '"' && state !== 'plain') {
          from = state === 'quote' ? i : i + 1; // two quotes stand for one
          state = 'quoted';
        } else if (c === separator || c === '\n' || c === '\r') {
          take(i);
          from = i + 1;
          if (c === separator) endCell();
          else endRow();
          afterCr = c === '\r';
        } else if (state === 'quote') throw fail('text after the quote that ends a cell');
        else state = 'plain';
      }
      take(part.length);
    },
    end() {
      if (state === 'quoted') throw fail('a quote is left open until the end');
      if (cell > 0 || state !== 'start') endRow();
      if (names === null && rows > 0 && rows === short) {
        throw fail(
          `no row has a column ${JSON.stringify(wanted)}`,
          'give the number of a column, from 1, with --column',
        );
      }
    },
    notes: () =>
      short === 0
        ? []
        : [
            `${count(short)} ${short === 1 ? 'row has' : 'rows have'} no column ${JSON.stringify(wanted)} (the first is row ${count(firstShort)}): left out`,
          ],
  };
}

/** CSV is written with semicolons where commas stand in numbers. */
function separatorOf(start: string): string {
  const line = start
    .slice(0, 10_000)
    .replace(/"[^"]*"/g, '')
    .split(/[\r\n]/)[0];
  return !line.includes(',') && line.includes(';') ? ';' : ',';
}
