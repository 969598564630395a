// Models for the tests of scoring: the canonical one, and small random ones of any shape.

import { createPythonRandom } from '../src/base/python-random.js';
import type { Checkpoint } from '../src/checkpoint/checkpoint.js';
import { decodeModel } from '../src/checkpoint/decode.js';
import { type ModelConfig, modelConfig } from '../src/model/config.js';
import { initialParameters, parameterTable } from '../src/model/parameters.js';
import type { Tokenizer } from '../src/tokenizer/tokenizer.js';
import { goldenText } from './golden.js';

export const canonicalModel = (): Checkpoint =>
  decodeModel(new TextEncoder().encode(goldenText('canonical/model_seed0_format.json')), 'canonical', {
    activation: 'relu',
  }).checkpoint;

/** Weights large enough that the model has opinions. */
export function randomModel(tokenizer: Tokenizer, sizes: Partial<ModelConfig> = {}, seed = 1): Checkpoint {
  const config = modelConfig({ nEmbd: 8, nHead: 2, nLayer: 2, blockSize: 8, ...sizes, vocabSize: tokenizer.size });
  const { gauss } = createPythonRandom(seed);
  const parameters = initialParameters(parameterTable(config), { std: 0.5, residualStd: 0.5 }, gauss);
  return { config, tokenizer, parameters };
}

/** The seed of random tests: MG_TEST_SEED, or one that is printed. */
export const testSeed = (): number => {
  const seed = Number(process.env['MG_TEST_SEED'] ?? Date.now() % 1_000_000);
  console.log(`MG_TEST_SEED=${seed}`);
  return seed;
};
