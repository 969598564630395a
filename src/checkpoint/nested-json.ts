/**
 * The nested `model.json` of the persistence scripts: {config, chars, weights}, one line, laid out as Python's json.dump does.
 * A model that those scripts could have trained is written byte for byte as they would; what differs goes into extra fields of
 * `config` (activation, norm, …), which they ignore.
 */
import { count, counted } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import type { JsonObject } from '../base/json.js';
import { pythonDumps } from '../base/json.js';
import { LIMITS } from '../base/limits.js';
import type { Checkpoint, Decoded, DecodeOptions } from './checkpoint.js';
import {
  BOS_NAME,
  configFields,
  MODEL_JSON,
  objectIn,
  readCharacters,
  readConfig,
  readWeights,
  requireCharacters,
  weightFields,
} from './json-fields.js';

export function isNestedJson(file: JsonObject): boolean {
  return file.has('config') && file.has('weights');
}

/** @throws MG_CKPT_CONFIG, MG_CKPT_TOKENIZER, MG_CKPT_SHAPE, MG_CKPT_NONFINITE */
export function decodeNestedJson(file: JsonObject, options: DecodeOptions, source: string): Decoded {
  const { config, notes } = readConfig(objectIn(file, 'config', source), options, source, MODEL_JSON);
  const tokenizer = readCharacters(file.get('chars'), 'chars', config.vocabSize, source);
  const parameters = readWeights(objectIn(file, 'weights', source), config, source);
  return { checkpoint: { config, tokenizer, parameters }, format: 'nested model.json', notes };
}

/** What a weight takes at the most in the usual run of numbers: sign, point, 17 digits, exponent, comma and space. */
const BYTES_PER_WEIGHT = 24;

/** @throws MG_CKPT_FORMAT when a model has too many parameters to be written as JSON and read again. */
export function requireJsonSize(parameters: number): void {
  if (parameters * BYTES_PER_WEIGHT <= LIMITS.modelJsonBytes) return;
  const most = Math.floor(LIMITS.modelJsonBytes / BYTES_PER_WEIGHT);
  throw new MicrogptError(
    'MG_CKPT_FORMAT',
    `a model.json can hold ${counted(most, 'parameter')}, this model has ${count(parameters)}`,
    'choose a smaller width or fewer layers',
  );
}

/** The text of the file. @throws MG_CKPT_FORMAT when the model is too large for it. */
export function encodeNestedJson({ config, tokenizer, parameters }: Checkpoint): string {
  requireJsonSize(parameters.length);
  requireCharacters(tokenizer);
  return pythonDumps(
    {
      config: configFields(config, MODEL_JSON),
      chars: tokenizer.pieces.map((piece) => piece ?? BOS_NAME),
      weights: weightFields(config, parameters),
    },
    'line',
  );
}
