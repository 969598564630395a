/**
 * The native format: one safetensors file with configuration, tokenizer and weights, and where there are any the optimizer and the run.
 * Weights carry the names of the parameter table; Adam's moments are tensors of the same shapes, `optimizer.m.<name>` and
 * `optimizer.v.<name>`: one per weight, so that any safetensors reader shows what belongs to what. All else is text under __metadata__.
 * A tensor is F32 when all its numbers are float32s, else F64: nothing is rounded. On wish weights are F16, or I8 with a scale per row.
 * Invariant: the same checkpoint gives the same bytes, and the file gives the same checkpoint, to the bit (F16 and I8 aside).
 */
import { MicrogptError } from '../base/errors.js';
import { type JsonObject, parseJson } from '../base/json.js';
import { refuse, requireNames } from '../base/options.js';
import type { ModelConfig } from '../model/config.js';
import { parameterTable } from '../model/parameters.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { tokenizerFromJson, tokenizerToJson } from '../tokenizer/tokenizer-json.js';
import type { Checkpoint, Decoded, JsonValue, OptimizerState, RunState } from './checkpoint.js';
import { configFields, readConfig } from './json-fields.js';
import { firstNonFinite, jsonText, plain } from './plain-json.js';
import { bad, count, counted, describe } from './refusal.js';
import { type Container, readContainer, verifySums, writeContainer } from './safetensors-container.js';
import {
  MOMENTS,
  momentTensors,
  PRECISIONS,
  type Precision,
  readTensors,
  requireFiniteTensors,
  requireTensors,
  weightTensors,
} from './safetensors-weights.js';

const FORMAT = 'microgpt';
const VERSION = 1;

const OPTIMIZER_NUMBERS = [
  ['learning_rate', 'learningRate'],
  ['beta1', 'beta1'],
  ['beta2', 'beta2'],
  ['eps', 'eps'],
  ['weight_decay', 'weightDecay'],
] as const;

/** How a model becomes a safetensors file. */
export interface SafetensorsOptions {
  /** `exact` if left out; the others leave out the optimizer's moments, which are of no use to rounded weights. */
  readonly precision?: Precision | undefined;
}

/** @throws MG_CKPT_FORMAT for what could not be read again: too large, a run that is no plain JSON; MG_CKPT_NONFINITE */
export function encodeSafetensors(
  { config, tokenizer, parameters, optimizer, run }: Checkpoint,
  options: SafetensorsOptions = {},
): Uint8Array {
  requireNames('encodeSafetensors', options, { precision: true });
  const { precision = 'exact' } = options;
  if (!PRECISIONS.includes(precision)) refuse('precision', precision, `one of ${PRECISIONS.join(', ')}`);
  const table = parameterTable(config);
  const tensors = weightTensors(table, parameters, precision);
  const moments = (precision === 'exact' && optimizer?.moments) || null;
  if (moments !== null) tensors.push(...momentTensors(table, moments));
  return writeContainer(tensors, {
    format: FORMAT,
    version: String(VERSION),
    config: JSON.stringify(configFields(config, null)),
    tokenizer: JSON.stringify(tokenizerToJson(tokenizer)),
    ...(optimizer && { optimizer: jsonText(optimizerFields(optimizer, moments !== null), 'the optimizer') }),
    ...(run && { run: jsonText(run, 'the run') }),
  });
}

/** @throws MG_CKPT_* with what was found and what was expected. */
export function decodeSafetensors(bytes: Uint8Array, source: string): Decoded {
  const container = readContainer(bytes, source);
  const { metadata } = container;
  requireOurs(metadata, source);
  const { config } = readConfig(objectIn(metadata, 'config', source), {}, source, null);
  const table = parameterTable(config);
  const tokenizer = readTokenizer(metadata, config, source);
  const optimizer = metadata.has('optimizer') ? readOptimizer(objectIn(metadata, 'optimizer', source), source) : null;
  const run = metadata.has('run') ? objectIn(metadata, 'run', source) : null;
  if (run !== null && firstNonFinite(run) !== null) {
    throw bad('MG_CKPT_JSON', source, `"run" holds ${firstNonFinite(run)}, expected finite numbers`);
  }
  requireTensors(container, table, optimizer?.hasMoments === true, source);
  const checked = verifySums(container, source);
  requireFiniteTensors(container, source);

  const read = (prefix: string) => readTensors(container, table, prefix);
  const parameters = read('');
  const moments = optimizer?.hasMoments ? { m: read(MOMENTS.m), v: read(MOMENTS.v) } : null;
  return {
    checkpoint: {
      config,
      tokenizer,
      parameters,
      ...(optimizer && { optimizer: { ...optimizer.settings, moments } }),
      ...(run && { run: plain(run) as RunState }),
    },
    format: 'safetensors',
    notes: checked ? [] : [`${source} has no checksums, so damage to its numbers would go unseen`],
  };
}

function optimizerFields({ step, ...settings }: OptimizerState, moments: boolean): Record<string, JsonValue> {
  return { step, ...Object.fromEntries(OPTIMIZER_NUMBERS.map(([theirs, ours]) => [theirs, settings[ours]])), moments };
}

function requireOurs(metadata: Container['metadata'], source: string): void {
  const format = metadata.get('format');
  if (format !== FORMAT || !metadata.has('config') || !metadata.has('tokenizer')) {
    const missing = ['config', 'tokenizer'].filter((name) => format !== FORMAT || !metadata.has(name)).join(' and ');
    throw new MicrogptError(
      'MG_CKPT_UNKNOWN',
      `${source} is a safetensors file without microgpt's ${missing}: its weights alone do not say how to use them`,
      'give a file that microgpt saved, or a model.json',
    );
  }
  const version = metadata.get('version') ?? 'missing';
  if (version === String(VERSION)) return;
  const newer = /^[1-9]\d{0,8}$/.test(version);
  throw new MicrogptError(
    'MG_CKPT_VERSION',
    newer
      ? `${source}: format ${version} was written by a newer microgpt (this one reads ${VERSION})`
      : `${source}: the format's version is ${JSON.stringify(version.slice(0, 20))}, expected ${VERSION}`,
    newer ? 'update microgpt' : 'use a file that is whole and unchanged',
  );
}

/** JSON inside of a metadata string. */
function objectIn(metadata: Container['metadata'], name: string, source: string): JsonObject {
  const value = parseJson(metadata.get(name) ?? '', `"${name}" of ${source}`, 'MG_CKPT_JSON', 'MG_CKPT_NAME');
  if (!(value instanceof Map)) throw bad('MG_CKPT_JSON', source, `"${name}" is not an object`);
  return value as JsonObject;
}

function readTokenizer(metadata: Container['metadata'], config: ModelConfig, source: string): Tokenizer {
  let tokenizer: Tokenizer;
  try {
    tokenizer = tokenizerFromJson(objectIn(metadata, 'tokenizer', source));
  } catch (error) {
    if (!(error instanceof MicrogptError) || error.code !== 'MG_TOKENIZER_INVALID') throw error;
    throw bad('MG_CKPT_TOKENIZER', source, error.message);
  }
  if (tokenizer.size === config.vocabSize) return tokenizer;
  const what = `${counted(tokenizer.size, 'token')} but wte has ${count(config.vocabSize)} rows`;
  throw bad('MG_CKPT_TOKENIZER', source, `${what}: this tokenizer belongs to another model`);
}

function readOptimizer(from: JsonObject, source: string) {
  const number = (name: string): number => {
    const value = from.get(name);
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw bad('MG_CKPT_CONFIG', source, `optimizer "${name}" is ${describe(value)}, expected a number`);
  };
  const step = number('step');
  if (!Number.isSafeInteger(step) || step < 0 || Object.is(step, -0)) {
    throw bad('MG_CKPT_CONFIG', source, `optimizer "step" is ${step}, expected a whole number from 0`);
  }
  const hasMoments = from.get('moments');
  if (typeof hasMoments !== 'boolean') {
    throw bad('MG_CKPT_CONFIG', source, `optimizer "moments" is ${describe(hasMoments)}, expected true or false`);
  }
  const settings = { step, ...Object.fromEntries(OPTIMIZER_NUMBERS.map(([theirs, ours]) => [ours, number(theirs)])) };
  return { settings: settings as Omit<OptimizerState, 'moments'>, hasMoments };
}
