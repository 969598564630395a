/**
 * Bytes → text → documents, for texts that are in memory. A document is a line; white space around it is cut and empty lines are
 * dropped, by Python's rules. Refuses to know: files and tokens. Invariant: no document is empty, and none begins or ends with white space.
 */
import { MicrogptError } from '../base/errors.js';
import { strip } from './white-space.js';

export { decodeUtf8 } from './utf8.js';
export { strip } from './white-space.js';

/**
 * One document per line; lines end with LF, CRLF or CR, as in Python's text files.
 * @throws MG_DATA_EMPTY when no line has anything in it.
 */
export function documentsFromLines(text: string, source: string): string[] {
  const documents = text
    .split(/\r\n|\r|\n/)
    .map(strip)
    .filter((line) => line !== '');
  if (documents.length === 0) {
    throw new MicrogptError(
      'MG_DATA_EMPTY',
      `${source} has no documents (${text.length} characters, all of them white space)`,
      'give a text file with one example per line',
    );
  }
  return documents;
}
