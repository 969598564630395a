/**
 * Lines of a file or of standard input as they arrive: of a stream without end as well.
 * Refuses to know what lines mean. Invariants: holds one chunk and one unfinished line at most; every line comes once, the last one too
 * when nothing ends it; bytes that are not UTF-8 become U+FFFD.
 */

import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { counted } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { plainReason } from './files.js';

/** UTF-16 units of one line. */
export const MOST_LINE_UNITS = 16 * 1024 * 1024;

/**
 * All lines that are there, as soon as they are there; `-` is standard input.
 * @throws MG_FILE_MISSING, MG_FILE_KIND, MG_FILE_READ, and MG_FILE_SIZE for a line that does not end.
 */
export async function* lineBatches(path: string, input: Readable = process.stdin): AsyncGenerator<string[]> {
  const name = path === '-' ? 'standard input' : path;
  const decoder = new TextDecoder('utf-8');
  const file = path === '-' ? null : await openToRead(path);
  let unfinished: string[] = [];
  let units = 0;
  let number = 1;

  /** The lines that `text` finishes. */
  function take(text: string): string[] {
    const parts = text.split(/\r\n|\r|\n/);
    if (parts.length > 1) {
      parts[0] = unfinished.join('') + parts[0];
      unfinished = [];
      units = 0;
    }
    const rest = parts.pop() ?? '';
    unfinished.push(rest);
    units += rest.length;
    number += parts.length;
    if (units > MOST_LINE_UNITS) {
      throw new MicrogptError(
        'MG_FILE_SIZE',
        `line ${number} of ${name} has more than ${counted(MOST_LINE_UNITS, 'character')}`,
        'give a text that is made of lines',
      );
    }
    return parts;
  }

  try {
    let held = ''; // a CR, of which it is not known yet whether an LF follows
    for await (const chunk of file === null ? input : file.createReadStream({ autoClose: false })) {
      const text = held + decoder.decode(chunk as Uint8Array, { stream: true });
      held = text.endsWith('\r') ? '\r' : '';
      const lines = take(held === '' ? text : text.slice(0, -1));
      if (lines.length > 0) yield lines;
    }
    const lines = take(held + decoder.decode());
    const last = unfinished.join('');
    if (last !== '') lines.push(last);
    if (lines.length > 0) yield lines;
  } catch (error) {
    if (error instanceof MicrogptError || !(error instanceof Error && 'code' in error)) throw error;
    throw new MicrogptError('MG_FILE_READ', `cannot read ${name}: ${plainReason(error)}`, 'check what it is', {
      cause: error,
    });
  } finally {
    await file?.close();
  }
}

async function openToRead(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new MicrogptError(
        'MG_FILE_MISSING',
        `there is no file ${path}`,
        'give a text file, or - for standard input',
      );
    }
    throw new MicrogptError('MG_FILE_READ', `cannot read ${path}: ${plainReason(error)}`, 'check its permissions');
  }
  if ((await file.stat()).isDirectory()) {
    await file.close();
    throw new MicrogptError('MG_FILE_KIND', `${path} is a folder, expected a text file`, 'give the path of a file');
  }
  return file;
}
