/**
 * The nested `model.json` of the persistence scripts: {config, chars, weights}, one line, laid out as Python's json.dump does.
 * A model that those scripts could have trained is written byte for byte as they would; what differs goes into extra fields of
 * `config` (activation, norm, …), which they ignore.
 */
import type { JsonObject } from '../base/json.js';
import { pythonDumps } from '../base/json.js';
import type { Checkpoint, Decoded, DecodeOptions } from './checkpoint.js';
import {
  BOS_NAME,
  configFields,
  objectIn,
  readCharacters,
  readConfig,
  readWeights,
  weightFields,
} from './json-fields.js';

export function isNestedJson(file: JsonObject): boolean {
  return file.has('config') && file.has('weights');
}

/** @throws MG_CKPT_CONFIG, MG_CKPT_TOKENIZER, MG_CKPT_SHAPE, MG_CKPT_NONFINITE */
export function decodeNestedJson(file: JsonObject, options: DecodeOptions, source: string): Decoded {
  const { config, notes } = readConfig(objectIn(file, 'config', source), options, source);
  const tokenizer = readCharacters(file.get('chars'), 'chars', config.vocabSize, source);
  const parameters = readWeights(objectIn(file, 'weights', source), config, source);
  return { checkpoint: { config, tokenizer, parameters }, format: 'nested model.json', notes };
}

export function encodeNestedJson({ config, tokenizer, parameters }: Checkpoint): string {
  return pythonDumps(
    {
      config: configFields(config),
      chars: tokenizer.pieces.map((piece) => piece ?? BOS_NAME),
      weights: weightFields(config, parameters),
    },
    'line',
  );
}
