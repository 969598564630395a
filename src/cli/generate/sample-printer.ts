/**
 * Prints samples as they come, one per line, with what belongs to them: escapes, raw bytes, the likeliest next tokens.
 * Refuses to know: models. Invariant: a reader that is slower than the model makes the model wait.
 */
import type { Checkpoint } from '../../checkpoint/checkpoint.js';
import type { SampleEvent } from '../../engine/stream.js';
import { harmless } from '../output.js';

export interface SampleScreen {
  readonly isTTY?: boolean;
  write(text: string | Uint8Array): boolean;
  once(event: 'drain', then: () => void): unknown;
}

export interface PrintOptions {
  /** Bytes beyond printable ASCII, tab and line ends as \xHH. */
  readonly escape: boolean;
  /** The bytes that tokens stand for, also where they are no UTF-8, as the byte-level trainer prints them. */
  readonly bytes: boolean;
  /** How many of the likeliest tokens to print before the first token, or before every one. */
  readonly top: number;
  readonly everyStep: boolean;
}

export interface SamplePrinter {
  print(event: SampleEvent): Promise<void>;
  flush(): Promise<void>;
}

const FLUSH_MS = 20;
const FLUSH_CHARACTERS = 16_384;

export function createSamplePrinter(
  screen: SampleScreen,
  tokenizer: Checkpoint['tokenizer'],
  options: PrintOptions,
): SamplePrinter {
  const byBytes = tokenizer.kind === 'byte' && (options.bytes || options.escape);
  let held: (string | Uint8Array)[] = [];
  let size = 0;
  let flushed = Number.NEGATIVE_INFINITY;
  let step = 0;

  function add(part: string | Uint8Array): void {
    held.push(part);
    size += part.length;
  }

  function textOf({ text, token }: SampleEvent): string | Uint8Array {
    if (byBytes && token !== null) return token < 256 ? bytesShown([token]) : '';
    if (options.escape) return bytesShown(new TextEncoder().encode(text));
    return screen.isTTY ? harmless(text) : text;
  }

  function bytesShown(bytes: ArrayLike<number>): string | Uint8Array {
    if (!options.escape) return Uint8Array.from(bytes);
    return Array.from(bytes, escapeByte).join('');
  }

  async function flush(): Promise<void> {
    if (held.length === 0) return;
    const parts = held;
    held = [];
    size = 0;
    flushed = performance.now();
    const whole = parts.every((part) => typeof part === 'string') ? parts.join('') : Buffer.concat(parts.map(asBytes));
    if (!screen.write(whole)) await new Promise<void>((resolve) => screen.once('drain', resolve));
  }

  return {
    flush,
    async print(event) {
      if (event.token !== null) {
        if (event.top !== undefined && (options.everyStep || step === 0)) {
          if (options.everyStep) add(`\n[gen step ${step}]`);
          add(topLines(event.top, tokenizer, options.escape));
        }
        step++;
      }
      // Bytes that did not make a character at the end have been printed already.
      const printed = byBytes && event.end !== null && step > 0;
      if (!printed) add(textOf(event));
      if (event.end !== null) {
        add('\n');
        step = 0;
      }
      if (size > FLUSH_CHARACTERS || performance.now() - flushed > FLUSH_MS) await flush();
    },
  };
}

const asBytes = (part: string | Uint8Array): Uint8Array => (typeof part === 'string' ? Buffer.from(part) : part);

function escapeByte(byte: number): string {
  if (byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte <= 126)) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** As the byte-level trainer prints them. */
function topLines(top: NonNullable<SampleEvent['top']>, tokenizer: Checkpoint['tokenizer'], escaped: boolean): string {
  const lines = top.map(
    ({ token, probability }, i) =>
      `  ${i + 1}) id=${token}  p=${sixDigits(probability)}  tok='${shown(token, tokenizer, escaped)}'\n`,
  );
  return `\nTop-${top.length} next tokens (after temperature, before sampling):\n${lines.join('')}`;
}

function shown(token: number, { kind, pieces, bos }: Checkpoint['tokenizer'], escaped: boolean): string {
  const escapes: Record<number, string> = { 9: '\\t', 10: '\\n', 13: '\\r' };
  const piece = pieces[token];
  if (piece === null) return token === bos ? '<BOS>' : '<special>';
  const code = kind === 'byte' ? token : piece.codePointAt(0)!;
  if (code in escapes) return escapes[code];
  if (kind === 'char' && code >= 0xa0) return piece;
  if (code >= 32 && code <= 126) return String.fromCharCode(code);
  return escaped ? `\\x${code.toString(16).toUpperCase().padStart(2, '0')}` : '.';
}

/** A number as C++ streams print it: six digits that count, no zeros at the end, an exponent of at least two digits. */
function sixDigits(x: number): string {
  if (x === 0) return '0';
  const [digits, exponent] = x.toExponential(5).split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(Number(x.toPrecision(6)));
  const sign = power < 0 ? '-' : '+';
  return `${Number(digits)}e${sign}${String(Math.abs(power)).padStart(2, '0')}`;
}
