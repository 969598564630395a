/**
 * Bytes → text → documents. A document is a line; white space around it is cut and empty lines are dropped, by Python's rules.
 * Refuses to know: files and tokens. Invariant: no document is empty, and none begins or ends with white space.
 */
import { MicrogptError } from '../base/errors.js';

// What Python's str.strip() takes for white space. Unlike JavaScript's, it includes U+001C–U+001F and U+0085, and not U+FEFF.
const SPACE = '[\\t-\\r\\u001c-\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const AROUND = new RegExp(`^${SPACE}|${SPACE}$`, 'g');

/** Python's str.strip(). */
export function strip(text: string): string {
  return text.replace(AROUND, '');
}

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

/**
 * Strict UTF-8; a byte order mark at the start is dropped.
 * @throws MG_DATA_UTF8 with the place of the first byte that is not UTF-8.
 */
export function decodeUtf8(bytes: Uint8Array, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const offset = validUtf8Prefix(bytes);
    const line = bytes.subarray(0, offset).reduce((n, byte) => n + (byte === 10 ? 1 : 0), 1);
    throw new MicrogptError(
      'MG_DATA_UTF8',
      `${source}: invalid byte 0x${(bytes[offset] ?? 0).toString(16).toUpperCase().padStart(2, '0')} at offset ${offset} (line ${line})`,
      'save the file as UTF-8 text',
    );
  }
}

/** Where the first character starts that is not UTF-8: by bisection, since whatever follows a valid prefix, the prefix stays valid. */
function validUtf8Prefix(bytes: Uint8Array): number {
  const isValid = (length: number, stream: boolean) => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length), { stream });
      return true;
    } catch {
      return false;
    }
  };
  let good = 0;
  let bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (isValid(middle, true)) good = middle;
    else bad = middle;
  }
  while (!isValid(good, false)) good--; // back to the start of a character that is cut or goes wrong later
  return good;
}
