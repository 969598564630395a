/**
 * Checks on what a caller of the library hands in, where types are not enough: numbers in range, and texts where texts belong.
 */
import { MicrogptError } from '../base/errors.js';
import { type OptionNames, refuse, requireNames } from '../base/options.js';

export { type OptionNames, refuse, requireNames };

/** The path of a model is none yet. @throws MG_OPTION_VALUE */
export function requireModel(value: object): void {
  if (typeof value === 'object' && value !== null && 'config' in value) return;
  refuse('the model', value, 'what trainModel gives, or the checkpoint of loadModel and decodeModel');
}

/** What whoever takes a model and options checks first. @throws MG_OPTION_VALUE */
export function requireCall<T extends object>(call: string, model: object, options: T, names: OptionNames<T>): void {
  requireModel(model);
  requireNames(call, options, names);
}

/** A number starts no threads: only the host can. @throws MG_OPTION_VALUE */
export function requireThreads(value: unknown): void {
  const fits = typeof value === 'object' && value !== null && 'count' in value && 'start' in value;
  if (value === undefined || fits) return;
  const count = typeof value === 'number' ? value : '';
  refuse(
    'threads',
    value,
    `those of the host: nodeThreads(${count}) of 'microgpt/node', or await browserThreads(${count}) of 'microgpt/browser'`,
  );
}

/** @throws MG_OPTION_VALUE */
export function requireText(name: string, value: string): void {
  if (typeof value !== 'string') refuse(name, value, 'a text');
}

/** A list of texts; one text is none, although JavaScript would read it letter by letter. @throws MG_OPTION_VALUE */
export function requireTexts(name: string, value: Iterable<string>): void {
  const listed = typeof value === 'object' && value !== null && Symbol.iterator in value;
  if (!listed) refuse(name, value, 'a list of texts');
  if (Array.isArray(value)) for (const [i, text] of value.entries()) requireText(`${name}[${i}]`, text);
}

/** @throws MG_OPTION_VALUE */
export function requireOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (!allowed.includes(value as string)) refuse(name, value, `one of ${allowed.join(', ')}`);
}

/** Not the AbortController that it belongs to. @throws MG_OPTION_VALUE */
export function requireSignal(value: AbortSignal | undefined): void {
  if (value === undefined || (typeof value === 'object' && value !== null && 'aborted' in value)) return;
  refuse('signal', value, 'an AbortSignal, such as the signal of an AbortController');
}

/** A whole number from `least` up. @throws MG_OPTION_VALUE */
export function requireWhole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) refuse(name, value, `a whole number from ${least}`);
}

/** A finite number from `least` up, or above it. @throws MG_OPTION_VALUE */
export function requireNumber(name: string, value: number, least: number, above = false): void {
  const fits = Number.isFinite(value) && (above ? value > least : value >= least);
  if (!fits) refuse(name, value, `a number ${above ? 'above' : 'from'} ${least}`);
}

/** A whole number of up to 64 bits. @throws MG_OPTION_VALUE */
export function requireSeed(value: number | bigint): void {
  const fits = typeof value === 'bigint' ? value >= 0n && value < 2n ** 64n : Number.isSafeInteger(value) && value >= 0;
  if (!fits) refuse('seed', value, 'a whole number from 0 to 2^64 - 1 (a bigint beyond 2^53)');
}

/** A list of texts. @throws MG_OPTION_VALUE, and MG_DATA_EMPTY when there are none. */
export function requireDocuments(value: readonly string[], source: string): void {
  if (!Array.isArray(value)) refuse('documents', value, 'a list of texts');
  const odd = value.findIndex((document) => typeof document !== 'string');
  if (odd >= 0) refuse(`documents[${odd}]`, value[odd], 'a text');
  if (value.length === 0) {
    throw new MicrogptError('MG_DATA_EMPTY', `${source} has no documents`, 'give at least a few texts to learn from');
  }
}
