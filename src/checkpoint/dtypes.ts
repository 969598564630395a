/**
 * Numbers as bytes, little-endian: one reader and one writer per dtype of safetensors.
 * Refuses to know: tensors. Invariant: reading is exact; writing rounds to nearest, ties to even, and keeps the sign of zero.
 */
import { MicrogptError } from '../base/errors.js';
import type { Parameter } from '../model/parameters.js';
import { count } from './refusal.js';
import type { Dtype } from './safetensors-container.js';

/** What 16 bits can hold: beyond this they read as infinite. */
export const LARGEST_F16 = 65_504;

/** Element `i` of a tensor that begins at byte `at`. */
export function readNumber(view: DataView, dtype: Dtype, at: number, i: number): number {
  switch (dtype) {
    case 'F64':
      return view.getFloat64(at + 8 * i, true);
    case 'F32':
      return view.getFloat32(at + 4 * i, true);
    case 'F16':
      return fromHalf(view.getUint16(at + 2 * i, true));
    case 'BF16':
      return fromBits(view.getUint16(at + 2 * i, true) << 16);
    case 'I8':
      return view.getInt8(at + i);
  }
}

export function writeNumber(
  view: DataView,
  dtype: 'F64' | 'F32' | 'F16' | 'I8',
  at: number,
  i: number,
  x: number,
): void {
  switch (dtype) {
    case 'F64':
      view.setFloat64(at + 8 * i, x, true);
      break;
    case 'F32':
      view.setFloat32(at + 4 * i, x, true);
      break;
    case 'F16':
      view.setUint16(at + 2 * i, toHalf(x), true);
      break;
    case 'I8':
      view.setInt8(at + i, x);
      break;
  }
}

/** The numbers of one parameter. @throws MG_CKPT_NONFINITE: a file that cannot be read again is not written. */
export function numbersOf(all: Float64Array, p: Parameter, name: string): Float64Array {
  const numbers = all.subarray(p.offset, p.offset + p.size);
  const at = numbers.findIndex((x) => !Number.isFinite(x));
  if (at < 0) return numbers;
  const message = `${name} has ${numbers[at]} at element ${count(at)}: a model that cannot be used is not saved`;
  throw new MicrogptError('MG_CKPT_NONFINITE', message, 'go back to the last model that was saved, with a lower rate');
}

/** Whether every number is a float32, zeros with their sign included. */
export function areFloat32(numbers: Float64Array): boolean {
  for (const x of numbers) if (Math.fround(x) !== x) return false;
  return true;
}

/** The largest size of a number, 0 for none. */
export function largest(numbers: Float64Array): number {
  let most = 0;
  for (const x of numbers) most = Math.max(most, Math.abs(x));
  return most;
}

const scratch = new DataView(new ArrayBuffer(4));

function fromBits(bits: number): number {
  scratch.setInt32(0, bits);
  return scratch.getFloat32(0);
}

/** Half: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction. */
function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function toHalf(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  // A half of exponent e is a whole number of 1024 … 2047 (below 2^-14: 0 … 1023) times 2^(e - 10).
  let exponent = -14;
  while (exponent < 15 && size >= 2 ** (exponent + 1)) exponent++;
  const units = roundHalfEven(size * 2 ** (10 - exponent));
  // 2048 units carry into the exponent by themselves; 1024 of the smallest exponent make the first normal number.
  return sign | (((exponent + 14) << 10) + units);
}

function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
