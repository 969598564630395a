/**
 * The byte-level C++ trainer's pair: `<prefix>.json` (sizes and optimizer settings) and `<prefix>.bin` (float32 weights, and Adam's moments).
 * Its model is one architecture: bytes as tokens, one head, layernorm, tanh-gelu, biases, a final norm. Its matrices are [in,out], ours
 * [out,in]; its w_qkv [C,3C] holds the columns Q | K | V, which are neighbours in our table. Where the two files disagree, the .bin wins,
 * as in that program. Invariant: what it wrote is written again byte for byte; nothing is allocated before all sizes have been compared.
 */
import { type ErrorCode, MicrogptError } from '../base/errors.js';
import type { Json, JsonObject } from '../base/json.js';
import { type ModelConfig, modelConfig } from '../model/config.js';
import { parameterTable } from '../model/parameters.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import type { Checkpoint, Decoded, OptimizerState } from './checkpoint.js';
import { bad, count, counted, describe } from './refusal.js';

const FORMAT = 'build-llm-using-cpp-checkpoint';
const VERSION = 1;
const MAGIC = 'BGPTCKPT';
/** What all its models have in common. */
export const FIXED = {
  nHead: 1,
  norm: 'layernorm',
  activation: 'gelu',
  bias: true,
  embedNorm: false,
  finalNorm: true,
} as const;
const VOCABULARY = 256;

const SIZES = [
  ['vocab_size', 'vocabSize'],
  ['seq_len', 'blockSize'],
  ['d_model', 'nEmbd'],
  ['n_layers', 'nLayer'],
] as const;
const SETTINGS = [
  ['lr', 'learningRate'],
  ['beta1', 'beta1'],
  ['beta2', 'beta2'],
  ['eps', 'eps'],
  ['weight_decay', 'weightDecay'],
] as const;

/** What that program trains with unless told otherwise. */
const DEFAULTS: OptimizerState = {
  step: 0,
  learningRate: 3e-4,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0.01,
  moments: null,
};

export function isPrefixJson(file: JsonObject): boolean {
  return file.get('format') === FORMAT || SIZES.every(([name]) => file.has(name));
}

export function isPrefixBin(bytes: Uint8Array): boolean {
  return [...MAGIC].every((c, i) => bytes[i] === c.charCodeAt(0));
}

/** @throws MG_CKPT_VERSION, MG_CKPT_CONFIG, MG_CKPT_TOKENIZER, MG_CKPT_TRUNCATED, MG_CKPT_SHAPE, MG_CKPT_NONFINITE */
export function decodePrefix(json: JsonObject, bin: Uint8Array, source: string): Decoded {
  const { config, settings, step: stepInJson } = readJson(json, source);
  const layout = layoutOf(config);
  const { step, adamStep } = readHeader(bin, layout, source);
  const view = new DataView(bin.buffer, bin.byteOffset, bin.length);
  const stored = storedTensors(layout, adamStep !== null);
  for (const tensor of stored) requireFinite(view, tensor, source); // before memory is taken for any
  const numbers = () => new Float64Array(parameterTable(config).total);
  const parameters = numbers();
  const moments = adamStep === null ? null : { m: numbers(), v: numbers() };
  for (const { place, at, which } of stored) {
    const out = which === 'weights' ? parameters : moments![which];
    forEachPlace(place, (theirs, ours) => {
      out[ours] = view.getFloat32(at + 4 * theirs, true);
    });
  }
  const optimizer: OptimizerState = { ...settings, step: adamStep ?? step, moments };
  return {
    checkpoint: {
      config,
      tokenizer: createByteTokenizer(),
      parameters,
      optimizer,
      // A run that went on without its moments has done more steps than its Adam.
      ...(optimizer.step !== step && { run: { step } }),
    },
    format: 'prefix .json + .bin',
    notes:
      step === stepInJson
        ? []
        : [`the .json of ${source} says step ${stepInJson}, the .bin ${step}; taking the .bin's`],
  };
}

/** The two files. @throws MG_CKPT_FORMAT for models of another architecture. */
export function encodePrefix(checkpoint: Checkpoint): { readonly json: string; readonly bin: Uint8Array } {
  requirePrefix(checkpoint);
  const { config, parameters } = checkpoint;
  const optimizer = checkpoint.optimizer ?? DEFAULTS;
  const step = totalStep(checkpoint);
  const { moments } = optimizer;
  const layout = layoutOf(config);
  const bin = new Uint8Array(
    28 + 8 * layout.length + 4 * parameters.length + (moments ? 8 + 8 * parameters.length : 0),
  );
  const view = new DataView(bin.buffer);
  bin.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, VERSION, true);
  view.setUint32(12, moments ? 1 : 0, true);
  view.setBigUint64(16, BigInt(step), true);
  view.setUint32(24, layout.length, true);
  let at = 28;
  for (const tensor of layout) {
    view.setBigUint64(at, BigInt(tensor.size), true);
    writeTensor(view, at + 8, tensor, parameters);
    at += 8 + 4 * tensor.size;
  }
  if (moments) {
    view.setBigUint64(at, BigInt(optimizer.step), true);
    at += 8;
    for (const tensor of layout) {
      writeTensor(view, at, tensor, moments.m);
      writeTensor(view, at + 4 * tensor.size, tensor, moments.v);
      at += 8 * tensor.size;
    }
  }
  const lines = [
    `"format": "${FORMAT}"`,
    `"version": ${VERSION}`,
    ...SIZES.map(([theirs, ours]) => `"${theirs}": ${config[ours]}`),
    ...SETTINGS.map(([theirs, ours]) => `"${theirs}": ${scientific(Math.fround(optimizer[ours]))}`),
    `"step": ${step}`,
    `"has_optim_state": ${moments !== null}`,
  ];
  return { json: `{\n${lines.map((line) => `  ${line}`).join(',\n')}\n}\n`, bin };
}

/** Steps of the whole run: those before its moments were left out count as well. */
export function totalStep({ optimizer, run }: Checkpoint): number {
  const step = run?.['step'];
  return typeof step === 'number' && Number.isSafeInteger(step) && step >= 0 ? step : (optimizer?.step ?? 0);
}

/** What is wrong with a model of another shape, in the words of the flags and of `info`. */
const SHAPE_WORDS: Readonly<Record<keyof typeof FIXED, (value: unknown) => string>> = {
  nHead: (heads) => counted(Number(heads), 'head'),
  norm: (name) => String(name),
  activation: (name) => `activation ${String(name)}`,
  bias: (has) => (has ? 'biases' : 'no biases'),
  embedNorm: (has) => (has ? 'a norm after the embedding' : 'no norm after the embedding'),
  finalNorm: (has) => (has ? 'a final norm' : 'no final norm'),
};

/** @throws MG_CKPT_FORMAT: tokens that are no bytes, which no training mends, come before a shape that differs. */
export function requirePrefix({ config, tokenizer, parameters, optimizer }: Checkpoint): void {
  if (tokenizer.kind !== 'byte' || tokenizer.size !== VOCABULARY) {
    const special = tokenizer.pieces.filter((piece) => piece === null).length;
    const own =
      tokenizer.kind === 'byte'
        ? `those of this one are the bytes and ${counted(special, 'special token')}`
        : `those of this one are ${counted(tokenizer.size - special, 'character')} and ${counted(special, 'special token')}`;
    throw notForPrefix(`the pair .json + .bin of the C++ trainer holds only models whose tokens are bytes; ${own}`);
  }
  const differing = (Object.keys(FIXED) as (keyof typeof FIXED)[]).filter((name) => config[name] !== FIXED[name]);
  if (differing.length > 0) {
    const words = (of: Partial<ModelConfig>) => differing.map((name) => SHAPE_WORDS[name](of[name])).join(', ');
    throw notForPrefix(
      `the pair .json + .bin of the C++ trainer holds models with ${words(FIXED)}; this one has ${words(config)}`,
    );
  }
  const { m, v } = optimizer?.moments ?? {};
  if ([parameters, m, v].some((numbers) => numbers?.some((x) => !Number.isFinite(Math.fround(x)))))
    throw notForPrefix('the pair .json + .bin holds float32; this model has numbers beyond it');
}

function notForPrefix(message: string): MicrogptError {
  return new MicrogptError(
    'MG_CKPT_FORMAT',
    message,
    'give a name that ends in .safetensors, which holds every model; for that trainer, train one with microgpt train --compat cpp --data FILE --save NAME',
  );
}

/** A tensor of theirs: `columns` is its width when ours is the transpose of it, else 1. */
export interface Place {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly columns: number;
}

/** Their tensors in their order, each with its place among our parameters. */
export function layoutOf(config: ModelConfig): readonly Place[] {
  const { nEmbd: C, nLayer, vocabSize: V, blockSize: N } = config;
  const { byName } = parameterTable(config);
  const place = (name: string, ours: string, size: number, columns = 1): Place => {
    return { name, offset: byName.get(ours)!.offset, size, columns };
  };
  const layer = (i: number) => [
    place(`layer ${i} w_qkv`, `layer${i}.attn_wq`, 3 * C * C, 3 * C),
    place(`layer ${i} b_qkv`, `layer${i}.attn_bq`, 3 * C),
    place(`layer ${i} w_proj`, `layer${i}.attn_wo`, C * C, C),
    place(`layer ${i} b_proj`, `layer${i}.attn_bo`, C),
    place(`layer ${i} w_fc`, `layer${i}.mlp_fc1`, 4 * C * C, 4 * C),
    place(`layer ${i} b_fc`, `layer${i}.mlp_b1`, 4 * C),
    place(`layer ${i} w_out`, `layer${i}.mlp_fc2`, 4 * C * C, C),
    place(`layer ${i} b_out`, `layer${i}.mlp_b2`, C),
  ];
  return [
    place('wte', 'wte', V * C),
    place('wpe', 'wpe', N * C),
    ...Array.from({ length: nLayer }, (_, i) => layer(i)).flat(),
    place('w_lm', 'lm_head', C * V, V),
    place('b_lm', 'lm_head_bias', V),
  ];
}

/** Their element [i,o] is ours [o,i]. */
export function forEachPlace({ offset, size, columns }: Place, visit: (theirs: number, ours: number) => void): void {
  const rows = size / columns;
  for (let i = 0, theirs = 0; i < rows; i++) {
    for (let o = 0; o < columns; o++) visit(theirs++, offset + o * rows + i);
  }
}

/** A run of numbers in the .bin: where it begins, and what it is of which tensor. */
interface Stored {
  readonly place: Place;
  readonly which: 'weights' | 'm' | 'v';
  readonly at: number;
}

function storedTensors(layout: readonly Place[], moments: boolean): readonly Stored[] {
  let at = 28;
  const weights = layout.map((place): Stored => {
    at += 8 + 4 * place.size;
    return { place, which: 'weights', at: at - 4 * place.size };
  });
  if (!moments) return weights;
  at += 8;
  const rest = layout.flatMap((place) =>
    (['m', 'v'] as const).map((which): Stored => {
      at += 4 * place.size;
      return { place, which, at: at - 4 * place.size };
    }),
  );
  return [...weights, ...rest];
}

function requireFinite(view: DataView, { place, which, at }: Stored, source: string): void {
  for (let i = 0; i < place.size; i++) {
    const x = view.getFloat32(at + 4 * i, true);
    if (Number.isFinite(x)) continue;
    const name = which === 'weights' ? place.name : `${which} of ${place.name}`;
    throw bad('MG_CKPT_NONFINITE', source, `${name} has ${x} at element ${count(i)}`);
  }
}

function writeTensor(view: DataView, at: number, place: Place, from: Float64Array): void {
  forEachPlace(place, (theirs, ours) => view.setFloat32(at + 4 * theirs, from[ours], true));
}

function readJson(json: JsonObject, source: string) {
  const version = json.get('version') ?? VERSION;
  if (version !== VERSION) {
    throw bad('MG_CKPT_VERSION', source, `format version ${describe(version as Json)}, expected ${VERSION}`);
  }
  const number = (name: string): number => {
    const value = json.get(name);
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw bad('MG_CKPT_CONFIG', source, `"${name}" is ${describe(value)}, expected a number`);
  };
  const sizes = Object.fromEntries(SIZES.map(([theirs, ours]) => [ours, number(theirs)])) as Record<
    (typeof SIZES)[number][1],
    number
  >;
  if (sizes.vocabSize !== VOCABULARY) {
    throw new MicrogptError(
      'MG_CKPT_TOKENIZER',
      `${source}: ${sizes.vocabSize} tokens, and neither the .json nor the .bin says which characters they are; only a model of the ${VOCABULARY} bytes can do without`,
      'give the model in a format that holds its characters: a .safetensors file, a model.json, or a folder with weights.json and meta.json',
    );
  }
  const step = number('step');
  if (!Number.isSafeInteger(step) || step < 0) {
    throw bad('MG_CKPT_CONFIG', source, `"step" is ${step}, expected a whole number from 0`);
  }
  if (typeof json.get('has_optim_state') !== 'boolean') {
    const what = `"has_optim_state" is ${describe(json.get('has_optim_state'))}, expected true or false`;
    throw bad('MG_CKPT_CONFIG', source, what);
  }
  const settings = Object.fromEntries(SETTINGS.map(([theirs, ours]) => [ours, Math.fround(number(theirs))]));
  if (!Object.values(settings).every(Number.isFinite)) {
    throw bad('MG_CKPT_CONFIG', source, 'an optimizer setting is beyond float32');
  }
  try {
    const config = modelConfig({ ...sizes, ...FIXED });
    parameterTable(config); // refuses sizes that are too large together
    return { config, settings: settings as Omit<OptimizerState, 'step' | 'moments'>, step };
  } catch (error) {
    if (error instanceof MicrogptError) throw bad('MG_CKPT_CONFIG', source, error.message);
    throw error;
  }
}

/** Compares every length in the file with the sizes of the model. `adamStep` is null where there are no moments. */
function readHeader(bin: Uint8Array, layout: readonly Place[], source: string) {
  const fail = (code: ErrorCode, what: string) => bad(code, source, `the .bin ${what}`);
  const numbers = layout.reduce((sum, { size }) => sum + size, 0);
  const view = new DataView(bin.buffer, bin.byteOffset, bin.length);
  const requireBytes = (needed: number) => {
    if (bin.length < needed) {
      throw fail('MG_CKPT_TRUNCATED', `ends after ${count(bin.length)} of at least ${count(needed)} bytes`);
    }
  };
  requireBytes(28);
  if (!isPrefixBin(bin)) throw fail('MG_CKPT_UNKNOWN', `does not begin with ${MAGIC}`);
  const version = view.getUint32(8, true);
  if (version !== VERSION) throw fail('MG_CKPT_VERSION', `is of format version ${version}, expected ${VERSION}`);
  const hasMoments = view.getUint32(12, true);
  if (hasMoments > 1) throw fail('MG_CKPT_CONFIG', `says ${hasMoments} about its optimizer, expected 0 or 1`);
  const step = wholeAt(view, 16, 'step', fail);
  const tensors = view.getUint32(24, true);
  if (tensors !== layout.length) {
    throw fail('MG_CKPT_SHAPE', `has ${count(tensors)} tensors, the sizes in the .json need ${layout.length}`);
  }
  let at = 28;
  for (const { name, size } of layout) {
    requireBytes(at + 8);
    const found = view.getBigUint64(at, true);
    if (found !== BigInt(size)) {
      const what = `has ${count(found)} numbers for ${name}, the sizes in the .json need ${count(size)}`;
      throw fail('MG_CKPT_SHAPE', what);
    }
    at += 8 + 4 * size;
  }
  const end = at + (hasMoments ? 8 + 8 * numbers : 0);
  requireBytes(end);
  if (bin.length > end)
    throw fail('MG_CKPT_TRUNCATED', `goes on to ${count(bin.length)} bytes after its end at ${count(end)}`);
  return { step, adamStep: hasMoments ? wholeAt(view, at, 'Adam step', fail) : null };
}

function wholeAt(view: DataView, at: number, name: string, fail: (code: ErrorCode, what: string) => Error): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw fail('MG_CKPT_CONFIG', `says ${name} ${count(value)}, which is beyond counting`);
  }
  return Number(value);
}

/** C's %.12e. The digits are exact; where they end in a tie, C rounds to even and JavaScript up. */
function scientific(x: number): string {
  const [digits, exponent] = x.toExponential(12).split('e') as [string, string];
  const exact = x.toExponential(60).split('e')[0]; // a tie has few more digits than 13
  const [kept, rest] = [exact.slice(0, digits.length), exact.slice(digits.length)];
  const isTie = /^50*$/.test(rest) && Number(kept.at(-1)) % 2 === 0;
  const sign = Object.is(x, -0) ? '-' : '';
  return `${sign}${isTie ? kept : digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}
