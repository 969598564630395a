/**
 * safetensors as a container: 8 bytes of header length, a JSON header (name → dtype, shape, place; strings under __metadata__), data.
 * Refuses to know: models. Invariant: what `readContainer` gives back is in bounds, and its tensors cover the data without gap or
 * overlap; nothing larger than the header is allocated before that is known. Format: github.com/huggingface/safetensors.
 */
import { type ErrorCode, MicrogptError } from '../base/errors.js';
import { type Json, type JsonObject, parseJson } from '../base/json.js';
import { LIMITS } from '../base/limits.js';
import { sha256 } from '../base/sha256.js';
import { bad, count, describe } from './refusal.js';

/** Bytes of an element, of the dtypes that microgpt knows. */
export const DTYPES = { F64: 8, F32: 4, F16: 2, BF16: 2, I8: 1 } as const;
export type Dtype = keyof typeof DTYPES;

export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** First byte in the data section, and one past the last. */
  readonly begin: number;
  readonly end: number;
}

export interface Container {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** The header as text, padding included. */
  readonly header: string;
  /** The bytes after the header. */
  readonly data: Uint8Array;
}

const LENGTH_BYTES = 8;
const ALIGNMENT = 8;
const OPEN = 0x7b; // {

/** Whether the bytes look like safetensors: a length, then a JSON object. */
export function isSafetensors(bytes: Uint8Array): boolean {
  return bytes.length > LENGTH_BYTES && bytes[LENGTH_BYTES] === OPEN && !isText(bytes);
}

/** JSON begins with {, white space or a byte order mark; a length may, but the upper half of any length that is read is 0. */
function isText(bytes: Uint8Array): boolean {
  return (
    [OPEN, 0x20, 0x0a, 0x0d, 0x09, 0xef].includes(bytes[0]) &&
    bytes.subarray(4, LENGTH_BYTES).some((byte) => byte !== 0)
  );
}

/** @throws MG_CKPT_TRUNCATED, MG_CKPT_HEADER_SIZE, MG_CKPT_JSON, MG_CKPT_NAME, MG_CKPT_SHAPE, MG_CKPT_DTYPE */
export function readContainer(bytes: Uint8Array, source: string): Container {
  const fail = (code: ErrorCode, what: string) => bad(code, source, what);
  if (bytes.length < LENGTH_BYTES) {
    throw fail('MG_CKPT_TRUNCATED', `ends after ${bytes.length} bytes, before the length of its header is complete`);
  }
  const claimed = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (claimed < 2n || claimed > BigInt(LIMITS.headerBytes)) {
    throw fail(
      'MG_CKPT_HEADER_SIZE',
      `the header claims ${count(claimed)} bytes, expected from 2 to ${count(LIMITS.headerBytes)}`,
    );
  }
  const dataStart = LENGTH_BYTES + Number(claimed);
  if (bytes.length < dataStart) {
    throw fail(
      'MG_CKPT_TRUNCATED',
      `ends after ${count(bytes.length)} bytes, inside its header of ${count(dataStart)}`,
    );
  }
  if (bytes[LENGTH_BYTES] !== OPEN) throw fail('MG_CKPT_JSON', 'the header does not begin with {');
  const header = headerText(bytes.subarray(LENGTH_BYTES, dataStart), source);
  const json = parseJson(header, `the header of ${source}`, 'MG_CKPT_JSON', 'MG_CKPT_NAME') as JsonObject;
  if (json.size > LIMITS.tensors) {
    throw fail('MG_CKPT_SHAPE', `${count(json.size)} tensors, at most ${count(LIMITS.tensors)} are read`);
  }
  const data = bytes.subarray(dataStart);
  const tensors = new Map<string, TensorEntry>();
  for (const [name, value] of json) if (name !== METADATA) tensors.set(name, tensorEntry(name, value, source));
  requireCover([...tensors.values()], data.length, dataStart, source);
  return { metadata: metadataOf(json.get(METADATA), source), tensors, header, data };
}

const METADATA = '__metadata__';
const DATA_SUM = 'sha256';
const HEADER_SUM = 'sha256_header';
const NO_SUM = '0'.repeat(64);

function headerText(bytes: Uint8Array, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw bad('MG_CKPT_JSON', source, 'the header is not UTF-8');
  }
}

function metadataOf(value: Json | undefined, source: string): ReadonlyMap<string, string> {
  if (value === undefined) return new Map();
  if (!(value instanceof Map)) throw bad('MG_CKPT_JSON', source, '__metadata__ is not an object');
  for (const [name, text] of value as JsonObject) {
    if (typeof text !== 'string') throw bad('MG_CKPT_JSON', source, `__metadata__ ${describe(name)} is not a string`);
  }
  return value as ReadonlyMap<string, string>;
}

function tensorEntry(name: string, value: Json, source: string): TensorEntry {
  const fail = (code: ErrorCode, what: string) => bad(code, source, `${describe(name)} ${what}`);
  if (name === '' || new TextEncoder().encode(name).length > LIMITS.nameBytes) {
    throw fail('MG_CKPT_NAME', `is no name for a tensor: expected 1 to ${LIMITS.nameBytes} bytes`);
  }
  if (!(value instanceof Map)) throw fail('MG_CKPT_JSON', 'is not described by an object');
  const entry = value as JsonObject;
  for (const key of entry.keys()) {
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets') {
      throw fail('MG_CKPT_JSON', `has an unknown field ${describe(key)}`);
    }
  }
  const dtype = entry.get('dtype');
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPES, dtype)) {
    throw fail('MG_CKPT_DTYPE', `is of dtype ${describe(dtype)}, expected one of ${Object.keys(DTYPES).join(', ')}`);
  }
  const shape = wholeNumbers(entry.get('shape'));
  if (shape === null || shape.length > LIMITS.rank) {
    throw fail('MG_CKPT_SHAPE', `has no shape of up to ${LIMITS.rank} whole numbers`);
  }
  const offsets = wholeNumbers(entry.get('data_offsets'));
  if (offsets?.length !== 2) throw fail('MG_CKPT_SHAPE', 'has no data_offsets of two whole numbers');
  const [begin, end] = offsets as [number, number];
  let size: number = DTYPES[dtype as Dtype];
  for (const length of shape) {
    size *= length;
    if (!Number.isSafeInteger(size)) throw fail('MG_CKPT_SHAPE', `[${shape}] has more elements than can be counted`);
  }
  if (end - begin !== size) {
    throw fail(
      'MG_CKPT_SHAPE',
      `[${shape}] of ${dtype} takes ${count(size)} bytes, its place has ${count(end - begin)}`,
    );
  }
  return { name, dtype: dtype as Dtype, shape, begin, end };
}

/** From the first byte to the last, in some order, each byte belongs to exactly one tensor. */
function requireCover(tensors: TensorEntry[], dataBytes: number, dataStart: number, source: string): void {
  // An empty tensor stands before the one that begins at the same place.
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of tensors) {
    if (begin !== at) {
      const what =
        begin > at ? `leaves a gap of ${count(begin - at)} bytes before it` : 'overlaps the tensor before it';
      throw bad('MG_CKPT_SHAPE', source, `${describe(name)} at byte ${count(begin)} ${what}`);
    }
    at = end;
  }
  if (at === dataBytes) return;
  const [has, needs] = [count(dataStart + dataBytes), count(dataStart + at)];
  const what =
    at > dataBytes ? `ends after ${has} of ${needs} bytes` : `goes on to ${has} bytes after its end at ${needs}`;
  throw bad('MG_CKPT_TRUNCATED', source, what);
}

function wholeNumbers(value: Json | undefined): readonly number[] | null {
  if (!Array.isArray(value)) return null;
  return value.every((x) => Number.isSafeInteger(x) && x >= 0 && !Object.is(x, -0)) ? value : null;
}

export interface NewTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Writes the elements, little-endian, from byte `at` on. */
  write(view: DataView, at: number): void;
}

/**
 * The file. Tensors stand in the order given, those of wider dtypes first, so that each is aligned; data starts at a multiple of 8.
 * Adds the checksums to the metadata.
 * @throws MG_CKPT_FORMAT when the file would be larger than what can be read again.
 */
export function writeContainer(tensors: readonly NewTensor[], metadata: Metadata): Uint8Array {
  const ordered = tensors.toSorted((a, b) => DTYPES[b.dtype] - DTYPES[a.dtype]); // stable
  let size = 0;
  const entries = ordered.map(({ name, dtype, shape }) => {
    const begin = size;
    size += shape.reduce((product, length) => product * length, DTYPES[dtype]);
    return [name, { dtype, shape, data_offsets: [begin, size] }] as const;
  });
  const headerWith = (sha256: string, sha256OfHeader: string) => {
    const values = { ...metadata, [DATA_SUM]: sha256, [HEADER_SUM]: sha256OfHeader };
    const json = new TextEncoder().encode(
      JSON.stringify(Object.fromEntries<unknown>([[METADATA, values], ...entries])),
    );
    const padded = new Uint8Array(Math.ceil((LENGTH_BYTES + json.length) / ALIGNMENT) * ALIGNMENT - LENGTH_BYTES);
    padded.fill(0x20).set(json);
    return padded;
  };
  // Checksums are all of one length, so the header has its size before they are known.
  const headerLength = headerWith(NO_SUM, NO_SUM).length;
  const dataStart = LENGTH_BYTES + headerLength;
  requireRoom('header', headerLength, LIMITS.headerBytes, 'keep less about the run, or use fewer characters');
  requireRoom('file', dataStart + size, LIMITS.modelBytes, 'leave out the optimizer, or use a smaller model');
  const file = new Uint8Array(dataStart + size);
  const view = new DataView(file.buffer);
  view.setBigUint64(0, BigInt(headerLength), true);
  ordered.forEach((tensor, i) => {
    tensor.write(view, dataStart + entries[i][1].data_offsets[0]);
  });
  const dataSum = sha256(file.subarray(dataStart));
  file.set(headerWith(dataSum, sha256(headerWith(dataSum, NO_SUM))), LENGTH_BYTES);
  return file;
}

function requireRoom(part: string, bytes: number, limit: number, remedy: string): void {
  if (bytes <= limit) return;
  const message = `the ${part} would have ${count(bytes)} bytes; only ${count(limit)} can be read again`;
  throw new MicrogptError('MG_CKPT_FORMAT', message, remedy);
}

/**
 * Compares the checksums with the file: `sha256` is of the data section, `sha256_header` of the header with this checksum as zeros.
 * Gives whether there are any; a program that changes a file on purpose leaves both out.
 * @throws MG_CKPT_HASH
 */
export function verifySums({ metadata, header, data }: Container, source: string): boolean {
  const [dataSum, headerSum] = [metadata.get(DATA_SUM), metadata.get(HEADER_SUM)];
  if (dataSum === undefined && headerSum === undefined) return false;
  if (dataSum === undefined || headerSum === undefined) {
    throw bad('MG_CKPT_HASH', source, 'one of its two checksums is missing');
  }
  if (sha256(data) !== dataSum) {
    throw bad('MG_CKPT_HASH', source, 'the weights are damaged: their sha256 is not the one that the file names');
  }
  const zeroed = header.replace(`"${HEADER_SUM}":"${headerSum}"`, `"${HEADER_SUM}":"${NO_SUM}"`);
  if (sha256(new TextEncoder().encode(zeroed)) !== headerSum) {
    throw bad('MG_CKPT_HASH', source, 'the header is damaged: its sha256 is not the one that the file names');
  }
  return true;
}

export type Metadata = { readonly [name: string]: string };
