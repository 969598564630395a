/**
 * The numbers of a model as tensors of a safetensors file, and back: exact, as halves, or as bytes with a scale per row.
 * Refuses to know: metadata. Invariant: exactly the tensors of the configuration, each finite and of its shape.
 */
import { type ErrorCode, MicrogptError } from '../base/errors.js';
import type { ParameterTable } from '../model/parameters.js';
import { areFloat32, LARGEST_F16, largest, numbersOf, readNumber, writeNumber } from './dtypes.js';
import { bad, count } from './refusal.js';
import type { Container, Dtype, NewTensor, TensorEntry } from './safetensors-container.js';

/** In front of the names of Adam's moments. */
export const MOMENTS = { m: 'optimizer.m.', v: 'optimizer.v.' } as const;
const SCALE = '.scale';

/** `half` keeps 11 bits of each number, `int8` 8 bits and a scale per row. */
export const PRECISIONS = ['exact', 'half', 'int8'] as const;
/** How weights are kept: as they are, as f16, or as 8-bit numbers with a scale for each row. */
export type Precision = (typeof PRECISIONS)[number];

/** The largest number that each way of writing can hold. */
const LARGEST: Record<Precision, number> = { exact: Number.MAX_VALUE, half: LARGEST_F16, int8: 3e38 };

/** @throws MG_CKPT_NONFINITE; MG_CKPT_FORMAT for numbers that the precision cannot hold */
export function weightTensors(table: ParameterTable, parameters: Float64Array, precision: Precision): NewTensor[] {
  return table.list.flatMap((p) => {
    const numbers = numbersOf(parameters, p, p.name);
    if (largest(numbers) > LARGEST[precision]) {
      const message = `${p.name} has a number of ${largest(numbers)}; ${precision} holds up to ${LARGEST[precision]}`;
      throw new MicrogptError('MG_CKPT_FORMAT', message, 'keep the weights exact');
    }
    if (precision === 'half') return [tensorOf(p.name, 'F16', p.shape, numbers)];
    if (precision === 'int8' && p.shape.length === 2) return byteRows(p.name, p.shape, numbers);
    return [exactTensor(p.name, p.shape, numbers)];
  });
}

export function momentTensors(table: ParameterTable, moments: { readonly m: Float64Array; readonly v: Float64Array }) {
  return (['m', 'v'] as const).flatMap((which) =>
    table.list.map((p) => {
      const name = MOMENTS[which] + p.name;
      return exactTensor(name, p.shape, numbersOf(moments[which], p, name));
    }),
  );
}

/** Whole numbers from -127 to 127, and for each row what 1 stands for. */
function byteRows(name: string, [rows, width]: readonly [number, number], numbers: Float64Array): NewTensor[] {
  const scales = Float64Array.from({ length: rows }, (_, r) =>
    Math.fround(largest(numbers.subarray(r * width, (r + 1) * width)) / 127),
  );
  const whole = numbers.map((x, i) => {
    const scale = scales[Math.floor(i / width)];
    return scale === 0 ? 0 : Math.max(-127, Math.min(127, Math.round(x / scale)));
  });
  return [tensorOf(name, 'I8', [rows, width], whole), tensorOf(name + SCALE, 'F32', [rows], scales)];
}

function exactTensor(name: string, shape: readonly number[], numbers: Float64Array): NewTensor {
  return tensorOf(name, areFloat32(numbers) ? 'F32' : 'F64', shape, numbers);
}

function tensorOf(
  name: string,
  dtype: 'F64' | 'F32' | 'F16' | 'I8',
  shape: readonly number[],
  numbers: Float64Array,
): NewTensor {
  const write = (view: DataView, at: number) => {
    for (let i = 0; i < numbers.length; i++) writeNumber(view, dtype, at, i, numbers[i]);
  };
  return { name, dtype, shape, write };
}

/** Exactly the tensors of this configuration, each of its shape and of a dtype that can stand there. */
export function requireTensors({ tensors }: Container, table: ParameterTable, moments: boolean, source: string): void {
  const fail = (code: ErrorCode, what: string) => bad(code, source, what);
  const expected = new Set<string>();
  const require = (name: string, shape: readonly number[], dtypes: readonly Dtype[]): TensorEntry => {
    expected.add(name);
    const tensor = tensors.get(name);
    if (tensor === undefined) throw fail('MG_CKPT_SHAPE', `${name} [${shape}] is missing`);
    if (tensor.shape.length !== shape.length || tensor.shape.some((length, i) => length !== shape[i])) {
      throw fail('MG_CKPT_SHAPE', `${name} is [${tensor.shape}], the configuration needs [${shape}]`);
    }
    if (dtypes.includes(tensor.dtype)) return tensor;
    throw fail('MG_CKPT_DTYPE', `${name} is of dtype ${tensor.dtype}, expected ${dtypes.join(' or ')}`);
  };
  for (const p of table.list) {
    const weights = ['F64', 'F32', 'F16', 'BF16', ...(p.shape.length === 2 ? (['I8'] as const) : [])] as const;
    const { dtype } = require(p.name, p.shape, weights);
    if (dtype === 'I8') require(p.name + SCALE, [p.shape[0]], ['F32']);
    if (moments) for (const prefix of Object.values(MOMENTS)) require(prefix + p.name, p.shape, ['F64', 'F32']);
  }
  for (const name of tensors.keys()) {
    if (!expected.has(name))
      throw fail('MG_CKPT_SHAPE', `there is a tensor "${name.slice(0, 60)}" that this model does not have`);
  }
}

/** All tensors of one kind, in the order of the table [total]. */
export function readTensors({ tensors, data }: Container, table: ParameterTable, prefix: string): Float64Array {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const out = new Float64Array(table.total);
  for (const p of table.list) {
    const { dtype, begin } = tensors.get(prefix + p.name)!;
    for (let i = 0; i < p.size; i++) out[p.offset + i] = readNumber(view, dtype, begin, i);
    const numbers = out.subarray(p.offset, p.offset + p.size);
    if (dtype === 'I8') applyScales(numbers, view, tensors.get(p.name + SCALE)!.begin, p.shape[0]);
  }
  return out;
}

function applyScales(numbers: Float64Array, view: DataView, at: number, rows: number): void {
  const width = numbers.length / rows;
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] = Math.fround(numbers[i] * view.getFloat32(at + 4 * Math.floor(i / width), true));
  }
}

/** Looks at every number before memory is taken for any. @throws MG_CKPT_NONFINITE */
export function requireFiniteTensors({ tensors, data }: Container, source: string): void {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  for (const { name, dtype, shape, begin } of tensors.values()) {
    const size = shape.reduce((product, length) => product * length, 1);
    const most = name.endsWith(SCALE) ? 128 : 1; // what a scale will be multiplied with
    let found = 0;
    let first = -1;
    for (let i = 0; i < size; i++) {
      const x = readNumber(view, dtype, begin, i);
      if (Number.isFinite(most === 1 ? x : Math.fround(most * x))) continue;
      if (found++ === 0) first = i;
    }
    if (found === 0) continue;
    const place = shape.length === 2 ? `${Math.floor(first / shape[1])},${first % shape[1]}` : `${first}`;
    const what = `${name} has ${count(found)} numbers that are not finite`;
    throw bad('MG_CKPT_NONFINITE', source, `${what}, the first ${readNumber(view, dtype, begin, first)} at [${place}]`);
  }
}
