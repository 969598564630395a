/**
 * UTF-8 in parts → text, strictly. Refuses to know: files and lines of text (it counts line feeds only to say where an error is).
 * Invariant: where the parts are cut changes neither the text nor the place of an error.
 */
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';

export interface Utf8Decoder {
  /** The text of these bytes; a character that is cut comes with the next ones. @throws MG_DATA_UTF8 */
  push(bytes: Uint8Array): string;
  /** What is left. @throws MG_DATA_UTF8 when the text ends within a character. */
  end(): string;
  /** A byte order mark stood at the start and was dropped. */
  bom(): boolean;
  /** How many stretches that are not UTF-8 became U+FFFD (`lossy` only). */
  replaced(): number;
}

/** `strict` refuses what is not UTF-8; `lossy` puts U+FFFD in its place, and counts. */
export type Encoding = 'strict' | 'lossy';

/** The ways out where a text is opened with options, which say how it is read. */
const BY_OPTIONS =
  'save the file as UTF-8 text, replace what is wrong with --encoding lossy, or take it as it is with --format bytes';
/** And where it is not. */
const BY_HAND = 'save the file as UTF-8 text; iconv -f latin1 -t utf-8 OLD > NEW does that for most old files';

export function createUtf8Decoder(source: string, encoding: Encoding, wayOut = BY_OPTIONS): Utf8Decoder {
  let carry: Uint8Array = new Uint8Array(0);
  let offset = 0; // of carry[0] in the whole
  let line = 1;
  let bom = false;
  let replaced = 0;
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  /** `bytes` begin where a character begins and end where one ends. */
  function decode(bytes: Uint8Array): string {
    let text: string;
    try {
      text = strict.decode(bytes);
    } catch {
      if (encoding === 'strict') {
        const bad = validUtf8Prefix(bytes);
        throw notUtf8(source, bytes[bad], offset + bad, line + lineFeeds(bytes.subarray(0, bad)), wayOut);
      }
      text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
      replaced += text.split('\ufffd').length - 1 - replacementCharacters(bytes);
    }
    if (offset === 0 && text.charCodeAt(0) === 0xfeff) {
      bom = true;
      text = text.slice(1);
    }
    line += lineFeeds(bytes);
    offset += bytes.length;
    return text;
  }

  return {
    push(part) {
      const bytes = carry.length === 0 ? part : joined(carry, part);
      const whole = wholeCharacters(bytes);
      const text = whole === 0 ? '' : decode(bytes.subarray(0, whole));
      carry = bytes.slice(whole);
      return text;
    },
    end() {
      const rest = carry;
      carry = new Uint8Array(0);
      return rest.length === 0 ? '' : decode(rest);
    },
    bom: () => bom,
    replaced: () => replaced,
  };
}

/**
 * A whole text in strict UTF-8; a byte order mark at the start is dropped.
 * @throws MG_DATA_UTF8 with the place of the first byte that is not UTF-8.
 */
export function decodeUtf8(bytes: Uint8Array, source: string): string {
  const decoder = createUtf8Decoder(source, 'strict', BY_HAND);
  return decoder.push(bytes) + decoder.end();
}

function notUtf8(source: string, byte: number, offset: number, line: number, wayOut: string): MicrogptError {
  const hex = byte.toString(16).toUpperCase().padStart(2, '0');
  return new MicrogptError(
    'MG_DATA_UTF8',
    `${source}: invalid byte 0x${hex} at offset ${count(offset)} (line ${count(line)})`,
    wayOut,
  );
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** The length without a last character whose bytes may not all be there yet. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) break;
    if (byte < 0xc0) continue; // a continuation: its lead byte stands before it
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return needed > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

function lineFeeds(bytes: Uint8Array): number {
  let n = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 10) n++;
  return n;
}

/** How often U+FFFD itself stands in the bytes. */
function replacementCharacters(bytes: Uint8Array): number {
  let n = 0;
  for (let i = 0; i + 2 < bytes.length; i++) {
    if (bytes[i] === 0xef && bytes[i + 1] === 0xbf && bytes[i + 2] === 0xbd) n++;
  }
  return n;
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
