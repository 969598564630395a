/**
 * Checks on what a caller of the library hands in, where types are not enough: numbers in range, and texts where texts belong.
 */
import { MicrogptError } from '../base/errors.js';

export function refuse(name: string, value: unknown, expected: string): never {
  throw new MicrogptError(
    'MG_OPTION_VALUE',
    `${name} is ${typeof value === 'string' ? JSON.stringify(value) : String(value)}, expected ${expected}`,
    `give ${name} ${expected}`,
  );
}

/** A misspelled option would otherwise leave its default in place without a word. @throws MG_OPTION_VALUE */
export function requireNames(call: string, options: object, names: Readonly<Record<string, true>>): void {
  if (typeof options !== 'object' || options === null) refuse(`what ${call} is given`, options, 'an object of options');
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(names, name)) continue;
    throw new MicrogptError(
      'MG_OPTION_VALUE',
      `${call} has no option ${JSON.stringify(name)}`,
      `choose from ${Object.keys(names).join(', ')}`,
    );
  }
}

/** The path of a model is none yet. @throws MG_OPTION_VALUE */
export function requireModel(value: object): void {
  if (typeof value === 'object' && value !== null && 'config' in value) return;
  refuse('the model', value, 'what trainModel gives, or the checkpoint of loadModel and decodeModel');
}

/** @throws MG_OPTION_VALUE */
export function requireText(name: string, value: string): void {
  if (typeof value !== 'string') refuse(name, value, 'a text');
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
