/**
 * Which format a text seems to have, from its name and its beginning: a proposal that is always said, never a secret.
 */
import type { Format } from './corpus.js';
import { recogniseFile } from './file-kinds.js';

/** Which format a text seems to have, and why. */
export interface Guess {
  readonly format: Format;
  /** Why, as the rest of a sentence that begins with "read as …: ". */
  readonly because: string;
}

/** @param head the first bytes; 64 KB are plenty. @param lossy whether damaged text is to be read as text */
export function guessFormat(name: string, head: Uint8Array, lossy = false): Guess {
  const ending = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase();
  if (ending === 'csv' || ending === 'tsv') return { format: ending, because: `its name ends in .${ending}` };
  if (recogniseFile(head) !== null) return { format: 'lines', because: 'nothing else fits' };
  const text = new TextDecoder().decode(head);
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.length > 1) lines.pop(); // it may be cut
  const full = lines.filter((line) => line.trim() !== '');
  if (full.length === 0) return { format: 'lines', because: 'nothing else fits' };
  if (isConversation(full[0])) return { format: 'chat', because: 'its first line is a conversation in JSON' };
  if (!lossy && (text.split('\ufffd').length - 1) * 50 > text.length)
    return { format: 'bytes', because: 'it is not text in UTF-8' };
  const mean = full.reduce((sum, line) => sum + line.length, 0) / full.length;
  const blank = lines.length - full.length;
  if (mean > 300)
    return { format: 'chunked', because: `its lines are long (${Math.round(mean)} characters on average)` };
  if (mean > 25 && blank * 8 > lines.length)
    return { format: 'chunked', because: 'it has paragraphs with empty lines between them' };
  return { format: 'lines', because: `its lines are short (${Math.round(mean)} characters on average)` };
}

function isConversation(line: string): boolean {
  if (line.length > 60_000) return /^\s*(\[|\{\s*"messages"\s*:\s*\[)\s*\{/.test(line) && line.includes('"role"');
  try {
    const json: unknown = JSON.parse(line);
    const list = Array.isArray(json) ? json : (json as { messages?: unknown } | null)?.messages;
    return Array.isArray(list) && typeof list[0] === 'object' && list[0] !== null && 'role' in list[0];
  } catch {
    return /^\s*(\[|\{\s*"messages"\s*:\s*\[)\s*\{\s*"(role|content)"/.test(line);
  }
}
