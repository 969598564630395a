/**
 * The formats that microgpt writes, one row each: what its files are called, how they are made, what they leave out.
 * Refuses to know: disks. Invariant: what a format cannot hold and is not listed as lost, its encoder refuses.
 */
import { MicrogptError } from '../base/errors.js';
import { refuse, requireNames } from '../base/options.js';
import type { Checkpoint, FormatName } from './checkpoint.js';
import { encodeFlatJson } from './flat-json.js';
import { configFields, type Habit, MODEL_JSON } from './json-fields.js';
import { encodeNestedJson } from './nested-json.js';
import { encodePrefix } from './prefix.js';
import { count, counted } from './refusal.js';
import { encodeSafetensors } from './safetensors.js';
import type { Precision } from './safetensors-weights.js';
import { encodeWeightsMeta, RUST } from './weights-meta.js';

/** A file of a model, by its whole path. */
export interface ModelFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** How a model becomes files. */
export interface EncodeOptions {
  /** Only safetensors has other precisions than exact. */
  readonly precision?: Precision | undefined;
}

interface Format {
  /** How --to calls it. */
  readonly word: string;
  /** The files at a path, in the order in which they are to be written: the last one makes the model whole. */
  encode(checkpoint: Checkpoint, path: string, precision: Precision): readonly ModelFile[];
  /** What is left out of this checkpoint, or rounded, in phrases. */
  lost(checkpoint: Checkpoint, precision: Precision): readonly string[];
}

const utf8 = (text: string) => new TextEncoder().encode(text);

export const FORMAT_TABLE: Record<FormatName, Format> = {
  'nested model.json': {
    word: 'nested',
    encode: (checkpoint, path) => [{ path, bytes: utf8(encodeNestedJson(checkpoint)) }],
    lost: (checkpoint) => [...lostTraining(checkpoint), ...lostOnOthers(checkpoint, MODEL_JSON)],
  },
  'flat model.json': {
    word: 'flat',
    encode: (checkpoint, path) => [{ path, bytes: utf8(encodeFlatJson(checkpoint)) }],
    lost: (checkpoint) => [...lostTraining(checkpoint), ...lostOnOthers(checkpoint, MODEL_JSON)],
  },
  safetensors: {
    word: 'safetensors',
    encode: (checkpoint, path, precision) => [{ path, bytes: encodeSafetensors(checkpoint, { precision }) }],
    lost: ({ optimizer }, precision) =>
      precision !== 'exact' && optimizer?.moments
        ? ["the optimizer's moments (rounded weights cannot train on exactly)"]
        : [],
  },
  'prefix .json + .bin': {
    word: 'prefix',
    encode(checkpoint, path) {
      const { json, bin } = encodePrefix(checkpoint);
      const prefix = path.replace(/\.(json|bin)$/, '');
      return [
        { path: `${prefix}.bin`, bytes: bin },
        { path: `${prefix}.json`, bytes: utf8(json) },
      ];
    },
    lost: (checkpoint) => [...lostRun(checkpoint), ...rounded(checkpoint)],
  },
  'weights.json + meta.json': {
    word: 'weights-meta',
    encode(checkpoint, path) {
      const { weights, meta } = encodeWeightsMeta(checkpoint);
      const folder = path.replace(/[\\/]+$/, '') || path;
      return [
        { path: `${folder}/weights.json`, bytes: utf8(weights) },
        { path: `${folder}/meta.json`, bytes: utf8(meta) },
      ];
    },
    lost: (checkpoint) => [...lostTraining(checkpoint), ...lostOnOthers(checkpoint, RUST)],
  },
};

export const FORMAT_WORDS = Object.values(FORMAT_TABLE).map(({ word }) => word);

/** @throws MG_CKPT_FORMAT when the format cannot hold the model, MG_CKPT_NONFINITE */
export function encodeModel(
  checkpoint: Checkpoint,
  format: FormatName,
  path: string,
  options: EncodeOptions = {},
): { readonly files: readonly ModelFile[]; readonly lost: readonly string[] } {
  requireNames('encodeModel', options, { precision: true });
  const { precision = 'exact' } = options;
  if (!Object.hasOwn(FORMAT_TABLE, format)) refuse('format', format, `one of ${Object.keys(FORMAT_TABLE).join(', ')}`);
  if (precision !== 'exact' && format !== 'safetensors') {
    const message = `${format} holds its weights in one precision only`;
    throw new MicrogptError('MG_CKPT_FORMAT', message, 'give a path that ends in .safetensors');
  }
  const { encode, lost } = FORMAT_TABLE[format];
  return { files: encode(checkpoint, path, precision), lost: lost(checkpoint, precision) };
}

/** Endings that promise something else than what would be written. */
const FOREIGN = /\.(safetensor|onnx|html?|gguf|ggml|pt|pth|pkl|ckpt|npz?|h5|zip|gz|txt|md|csv)$/i;

/**
 * The format that a path asks for: .json (nested), .safetensors, a folder (weights.json + meta.json), else a prefix.
 * @throws MG_CKPT_FORMAT for endings that belong to other formats
 */
export function formatForPath(path: string, isFolder: boolean): FormatName {
  if (isFolder || /[\\/]$/.test(path)) return 'weights.json + meta.json';
  if (path.endsWith('.safetensors')) return 'safetensors';
  if (path.endsWith('.json')) return 'nested model.json';
  const foreign = FOREIGN.exec(path);
  if (foreign === null) return 'prefix .json + .bin';
  const isExport = /\.(onnx|html?)$/i.test(path);
  throw new MicrogptError(
    'MG_CKPT_FORMAT',
    `${path} ends in ${foreign[0]}, which is none of the formats that are written`,
    isExport
      ? `such files are exported, not converted to: microgpt export --${/onnx/i.test(path) ? 'onnx' : 'html'} PATH`
      : 'end it in .safetensors or .json, name a folder with / at its end, or a prefix without an ending',
  );
}

export function formatCalled(word: string): FormatName | undefined {
  return (Object.keys(FORMAT_TABLE) as FormatName[]).find((name) => FORMAT_TABLE[name].word === word);
}

function lostTraining(checkpoint: Checkpoint): string[] {
  const { optimizer } = checkpoint;
  const state = optimizer ? [`the optimizer after ${counted(optimizer.step, 'step')}`] : [];
  return [...state, ...lostRun(checkpoint)];
}

function lostRun({ run }: Checkpoint): string[] {
  return run && Object.keys(run).some((name) => name !== 'step') ? ['what it knows about its run'] : [];
}

/** What microgpt writes down and the other programs of the format do not read. */
function lostOnOthers({ config }: Checkpoint, habit: Habit): string[] {
  const { n_embd, n_head, n_layer, block_size, vocab_size, ...markers } = configFields(config, habit);
  const names = Object.entries(markers).map(([name, value]) => `${name} ${value}`);
  return names.length === 0 ? [] : [`${names.join(', ')}: not read by the other programs that this format is for`];
}

function rounded({ parameters, optimizer }: Checkpoint): string[] {
  const phrase = (numbers: Float64Array, what: string): string[] => {
    let [changed, most] = [0, 0];
    for (const x of numbers) {
      const error = Math.abs(x - Math.fround(x));
      if (error === 0) continue;
      changed++;
      most = Math.max(most, error);
    }
    if (changed === 0) return [];
    return [
      `${count(changed)} of ${count(numbers.length)} ${what} rounded to float32, by ${most.toExponential(1)} at most`,
    ];
  };
  const { m, v } = optimizer?.moments ?? {};
  return [...phrase(parameters, 'weights'), ...(m && v ? [...phrase(m, 'means m'), ...phrase(v, 'means v')] : [])];
}
