/**
 * The flat `model.json` of the scenario scripts: sizes, `uchars` and `state_dict` side by side, one element per line, as Python's
 * json.dump(indent=0) lays it out. BOS has no name in it; its id is the number of characters.
 */

import { MicrogptError } from '../base/errors.js';
import type { JsonObject } from '../base/json.js';
import { pythonDumps } from '../base/json.js';
import type { Checkpoint, Decoded, DecodeOptions } from './checkpoint.js';
import {
  configFields,
  MODEL_JSON,
  objectIn,
  readCharacters,
  readConfig,
  readWeights,
  requireCharacters,
  weightFields,
} from './json-fields.js';
import { requireJsonSize } from './nested-json.js';

export function isFlatJson(file: JsonObject): boolean {
  return file.has('uchars') && file.has('state_dict');
}

/** @throws MG_CKPT_CONFIG, MG_CKPT_TOKENIZER, MG_CKPT_SHAPE, MG_CKPT_NONFINITE */
export function decodeFlatJson(file: JsonObject, options: DecodeOptions, source: string): Decoded {
  const { config, notes } = readConfig(file, options, source, MODEL_JSON);
  const tokenizer = readCharacters(file.get('uchars'), 'uchars', config.vocabSize, source);
  const parameters = readWeights(objectIn(file, 'state_dict', source), config, source);
  return { checkpoint: { config, tokenizer, parameters }, format: 'flat model.json', notes };
}

/** @throws MG_CKPT_FORMAT when BOS is not the last id. */
export function encodeFlatJson({ config, tokenizer, parameters }: Checkpoint): string {
  requireJsonSize(parameters.length);
  requireCharacters(tokenizer);
  if (tokenizer.bos !== tokenizer.size - 1) {
    throw new MicrogptError(
      'MG_CKPT_FORMAT',
      `BOS is token ${tokenizer.bos} of ${tokenizer.size}; a flat model.json can only have it last`,
      'save as nested model.json',
    );
  }
  const { n_embd, n_head, n_layer, block_size, vocab_size, ...markers } = configFields(config, MODEL_JSON);
  return pythonDumps(
    {
      uchars: tokenizer.pieces.slice(0, -1),
      ...({ n_embd, n_head, n_layer, block_size, vocab_size } as Record<string, number>),
      ...markers,
      state_dict: weightFields(config, parameters),
    },
    'indent0',
  );
}
