/**
 * What the JSON formats have in common: reading configuration numbers, characters and matrices with exact complaints.
 * Invariant: nothing leaves this file unchecked; sizes are compared with the configuration before memory is taken.
 */
import { MicrogptError } from '../base/errors.js';
import type { Json, JsonObject } from '../base/json.js';
import { ACTIVATIONS, type ModelConfig, modelConfig, NORMS } from '../model/config.js';
import { type Parameter, type ParameterTable, parameterTable } from '../model/parameters.js';
import { createCharTokenizer } from '../tokenizer/char.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { DecodeOptions } from './checkpoint.js';
import { numbersOf } from './dtypes.js';
import { bad, describe } from './refusal.js';

export const BOS_NAME = '<BOS>';

const SIZES = [
  ['n_embd', 'nEmbd'],
  ['n_head', 'nHead'],
  ['n_layer', 'nLayer'],
  ['block_size', 'blockSize'],
  ['vocab_size', 'vocabSize'],
] as const;

/** What the programs of a format compute; a file says so only where it differs. */
export type Habit = Pick<ModelConfig, 'norm' | 'activation' | 'bias' | 'embedNorm' | 'finalNorm'>;

/** The habit of those that read and write `model.json`. */
export const MODEL_JSON: Habit = {
  norm: 'rmsnorm',
  activation: 'relu2',
  bias: false,
  embedNorm: true,
  finalNorm: false,
};
const MARKERS = [
  ['activation', 'activation', ACTIVATIONS],
  ['norm', 'norm', NORMS],
  ['bias', 'bias', [true, false]],
  ['embed_norm', 'embedNorm', [true, false]],
  ['final_norm', 'finalNorm', [true, false]],
] as const;

export function objectIn(from: JsonObject, name: string, source: string): JsonObject {
  const value = from.get(name);
  if (!(value instanceof Map))
    throw bad('MG_CKPT_CONFIG', source, `"${name}" is ${describe(value)}, expected an object`);
  return value;
}

/** The sizes and, where the file has them, the markers of what else its model is. Without a habit, all markers have to be there. */
export function readConfig(
  from: JsonObject,
  options: DecodeOptions,
  source: string,
  habit: Habit | null,
): { config: ModelConfig; notes: readonly string[] } {
  const given: Record<string, number | string | boolean> = {};
  for (const [theirs, ours] of SIZES) {
    const value = from.get(theirs);
    if (typeof value !== 'number') {
      throw bad('MG_CKPT_CONFIG', source, `config "${theirs}" is ${describe(value)}, expected a whole number`);
    }
    given[ours] = value;
  }
  for (const [theirs, ours, allowed] of MARKERS) {
    const value = from.get(theirs) ?? habit?.[ours];
    if (!(allowed as readonly unknown[]).includes(value)) {
      throw bad('MG_CKPT_CONFIG', source, `config "${theirs}" is ${describe(value)}, expected ${allowed.join(' or ')}`);
    }
    given[ours] = value as string | boolean;
  }
  const notes: string[] = [];
  const isOpen = habit !== null && !from.has('activation');
  if (isOpen && options.activation !== undefined) given['activation'] = options.activation;
  else if (isOpen) {
    notes.push(
      `${source} does not name its activation; taking ${habit.activation}, as the programs that write such files do (--activation overrides)`,
    );
  }
  try {
    const config = modelConfig(given as Parameters<typeof modelConfig>[0]);
    parameterTable(config); // refuses sizes that are too large together
    return { config, notes };
  } catch (error) {
    if (error instanceof MicrogptError) throw bad('MG_CKPT_CONFIG', source, error.message);
    throw error;
  }
}

/** The five sizes, and a marker for each choice that readers without markers would get wrong. Without a habit, every marker. */
export function configFields(config: ModelConfig, habit: Habit | null): Record<string, number | string | boolean> {
  const out: Record<string, number | string | boolean> = {};
  for (const [theirs, ours] of SIZES) out[theirs] = config[ours];
  for (const [theirs, ours] of MARKERS) if (config[ours] !== habit?.[ours]) out[theirs] = config[ours];
  return out;
}

/** A list of characters; where none of them is called <BOS>, BOS comes after the last. */
export function readCharacters(value: Json | undefined, name: string, vocabSize: number, source: string): Tokenizer {
  if (!isList(value) || !value.every((c) => typeof c === 'string')) {
    throw bad('MG_CKPT_TOKENIZER', source, `"${name}" is ${describe(value)}, expected a list of characters`);
  }
  const pieces = value.map((c) => (c === BOS_NAME ? null : c));
  if (!pieces.includes(null)) pieces.push(null);
  if (pieces.length !== vocabSize) {
    throw bad(
      'MG_CKPT_TOKENIZER',
      source,
      `${pieces.length} tokens (BOS included) but vocab_size ${vocabSize}: this tokenizer belongs to another model`,
    );
  }
  try {
    return createCharTokenizer(pieces);
  } catch (error) {
    if (error instanceof MicrogptError) throw bad('MG_CKPT_TOKENIZER', source, error.message);
    throw error;
  }
}

/** @throws MG_CKPT_FORMAT for tokenizers that a list of characters with one BOS does not hold. */
export function requireCharacters({ kind, roles }: Tokenizer): void {
  if (kind === 'char' && roles === null) return;
  throw new MicrogptError(
    'MG_CKPT_FORMAT',
    `a model.json holds a list of characters and BOS; the tokens of this model are ${kind === 'byte' ? 'bytes' : 'characters and those of a conversation'}`,
    `convert to a .safetensors file, which holds every model${kind === 'char' ? ', or to a folder (weights.json + meta.json)' : ''}`,
  );
}

/** All weights of a configuration, each of exactly its shape and finite. */
export function readWeights(from: JsonObject, config: ModelConfig, source: string): Float64Array {
  const table = parameterTable(config);
  for (const name of from.keys()) {
    if (!table.byName.has(name))
      throw bad('MG_CKPT_SHAPE', source, `there is a weight "${name}" that this model does not have`);
  }
  // Every weight takes at least one list, so a file cannot make us reserve more than a few times its own size.
  for (const p of table.list) requireShape(p, from.get(p.name), source);
  const out = new Float64Array(table.total);
  for (const p of table.list) {
    const value = from.get(p.name) as readonly Json[];
    const rows = (p.shape.length === 2 ? value : [value]) as readonly (readonly Json[])[];
    rows.forEach((row, r) => {
      row.forEach((x, c) => {
        if (typeof x !== 'number' || !Number.isFinite(x)) {
          throw bad('MG_CKPT_NONFINITE', source, `${p.name} [${r},${c}] is ${describe(x)}, expected a finite number`);
        }
        out[p.offset + r * row.length + c] = x;
      });
    });
  }
  return out;
}

function requireShape(p: Parameter, value: Json | undefined, source: string): void {
  const wanted = `[${p.shape.join(',')}]`;
  if (value === undefined) throw bad('MG_CKPT_SHAPE', source, `${p.name} ${wanted} is missing`);
  if (!isList(value) || value.length !== p.shape[0]) {
    throw bad('MG_CKPT_SHAPE', source, `${p.name} is ${describe(value)}, the configuration needs ${wanted}`);
  }
  if (p.shape.length === 1) return;
  value.forEach((row, r) => {
    if (!isList(row) || row.length !== p.shape[1]) {
      throw bad(
        'MG_CKPT_SHAPE',
        source,
        `row ${r} of ${p.name} is ${describe(row)}, the configuration needs ${wanted}`,
      );
    }
  });
}

/** Weights as the JSON formats lay them out: matrices as lists of rows, in the order of the parameter table. */
export function weightFields(
  config: ModelConfig,
  parameters: Float64Array,
): Record<string, Float64Array | Float64Array[]> {
  const table: ParameterTable = parameterTable(config);
  return Object.fromEntries(
    table.list.map((p) => {
      const all = numbersOf(parameters, p, p.name);
      if (p.shape.length === 1) return [p.name, all];
      const width = p.shape[1];
      return [p.name, Array.from({ length: p.shape[0] }, (_, r) => all.subarray(r * width, (r + 1) * width))];
    }),
  );
}

function isList(x: Json | undefined): x is readonly Json[] {
  return Array.isArray(x);
}
