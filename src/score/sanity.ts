/**
 * The checks of the earlier byte-level trainer, printed as it prints them: what comes next after random contexts of a file, and after
 * one that is named. Its random numbers, its words, its six digits.
 * Refuses to know: where logits and bytes come from. Invariant: same bytes, same seed, same logits → the characters that it prints.
 */
import { MicrogptError } from '../base/errors.js';
import { exp } from '../base/math.js';
import { createXorshift64Star, XORSHIFT_STREAMS } from '../base/xorshift.js';
import { likeliest } from './surprise.js';

/** Logits [V] for what follows a context. */
export type Predict = (context: readonly number[]) => ArrayLike<number>;

export interface SanityOptions {
  /** Bytes of context. */
  readonly context: number;
  /** How many of the likeliest tokens to list. */
  readonly top: number;
  /** Bytes that are not printable as \xHH instead of a dot. */
  readonly escapeBytes?: boolean | undefined;
}

/** `count` places drawn at random: what is expected there, what the model says, and how often it was right. */
export function sanityNextFromData(
  bytes: Uint8Array,
  predict: Predict,
  count: number,
  { context, top, escapeBytes = false, seed }: SanityOptions & { readonly seed: number | bigint },
): string {
  if (bytes.length < context + 1) throw tooSmall(`${bytes.length} bytes, ${context} of context and one to predict`);
  const random = createXorshift64Star(BigInt.asUintN(64, BigInt(seed)) ^ XORSHIFT_STREAMS.sanity);
  let right = 0;
  let out = '';
  for (let i = 0; i < count; i++) {
    const start = random.integer(0, bytes.length - (context + 1));
    const found = prediction(bytes, start, context, predict);
    if (found.top === found.expected) right++;
    out +=
      `\n[sanity ${i + 1}/${count}] start=${start} ctx_len=${context}\n` +
      `  expected next: ${token(found.expected, escapeBytes)}\n` +
      `  pred top1:    ${token(found.top, escapeBytes)}\n` +
      topNext(found.logits, top, escapeBytes);
  }
  return `${out}\nSanity top1 accuracy: ${right}/${count} = ${sixDigits(right / Math.max(1, count))}\n`;
}

/** One place: the context (its last `preview` bytes), what is expected, what the model says. */
export function sanityNextAtOffset(
  bytes: Uint8Array,
  predict: Predict,
  offset: number,
  { context, top, escapeBytes = false, preview }: SanityOptions & { readonly preview: number },
): string {
  if (offset + context >= bytes.length) {
    throw tooSmall(`need bytes[${offset}..${offset + context}] but dataset has ${bytes.length} bytes`);
  }
  const { expected, top: best, logits } = prediction(bytes, offset, context, predict);
  const shown = Math.min(context, preview);
  const text = Array.from(bytes.subarray(offset + context - shown, offset + context), (b) =>
    display(b, escapeBytes),
  ).join('');
  return (
    `\n[sanity offset] offset=${offset} ctx_len=${context} (predicts byte @ ${offset + context})\n` +
    `  context preview: "${shown < context ? '...' : ''}${text}"\n` +
    `  expected next: ${token(expected, escapeBytes)}\n` +
    `  pred top1:    ${token(best, escapeBytes)}  ${best === expected ? '[OK]' : '[MISMATCH]'}\n` +
    topNext(logits, top, escapeBytes)
  );
}

function prediction(bytes: Uint8Array, start: number, context: number, predict: Predict) {
  const logits = predict([...bytes.subarray(start, start + context)]);
  return { expected: bytes[start + context], top: likeliest(logits, 0, logits.length, 1)[0].id, logits };
}

/** The list of the likeliest next tokens, without temperature. */
export function topNext(logits: ArrayLike<number>, count: number, escaped: boolean): string {
  if (count === 0) return '';
  const probability = softmax32(logits);
  const lines = likeliest(logits, 0, logits.length, count).map(
    ({ id }, i) => `  ${i + 1}) id=${id}  p=${sixDigits(probability[id])}  tok='${display(id, escaped)}'\n`,
  );
  return `\nTop-${lines.length} next tokens (after temperature, before sampling):\n${lines.join('')}`;
}

/** As that program computes it: in f32, summed in the order of the ids. It shows in the sixth digit. */
function softmax32(logits: ArrayLike<number>): Float32Array {
  const weights = Float32Array.from(logits);
  const largest = weights.reduce((a, b) => Math.max(a, b));
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    weights[i] = exp(Math.fround(weights[i] - largest));
    sum = Math.fround(sum + weights[i]);
  }
  return weights.map((weight) => weight / sum);
}

const token = (id: number, escaped: boolean) => `id=${id} tok='${display(id, escaped)}'`;

/** A byte as that program shows it: line ends and tabs as two characters, what is not printable as a dot or as \xHH. */
export function display(byte: number, escaped: boolean): string {
  if (byte === 10) return '\\n';
  if (byte === 13) return '\\r';
  if (byte === 9) return '\\t';
  if (byte >= 32 && byte <= 126) return String.fromCharCode(byte);
  return escaped ? `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}` : '.';
}

/** A number as C++ prints it: six digits, no zeros at the end, an exponent of two digits for what is very small or large. */
export function sixDigits(x: number): string {
  if (x === 0) return '0';
  const [mantissa, power] = x.toExponential(5).split('e');
  const exponent = Number(power);
  const bare = (digits: string) => (digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits);
  if (exponent >= -4 && exponent < 6) return bare(x.toFixed(5 - exponent));
  return `${bare(mantissa)}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function tooSmall(message: string): MicrogptError {
  return new MicrogptError('MG_DATA_TOO_SMALL', message, 'give a longer file, a smaller context or an earlier place');
}
