/**
 * Checks on what a caller of the library hands in, where types are not enough: numbers in range, and texts where texts belong.
 */
import { MicrogptError } from '../base/errors.js';

export function refuse(name: string, value: unknown, expected: string): never {
  throw new MicrogptError(
    'MG_OPTION_VALUE',
    `${name} is ${String(value)}, expected ${expected}`,
    `give ${name} ${expected}`,
  );
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
  if (!Array.isArray(value) || !value.every((document) => typeof document === 'string')) {
    refuse('documents', typeof value, 'a list of texts');
  }
  if (value.length === 0) {
    throw new MicrogptError('MG_DATA_EMPTY', `${source} has no documents`, 'give at least a few texts to learn from');
  }
}
