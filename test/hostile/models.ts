// Small models for hostile tests, one for each format, as its files.
import { createPythonRandom } from '../../src/base/python-random.js';
import type { Checkpoint, FormatName } from '../../src/checkpoint/checkpoint.js';
import { encodeModel } from '../../src/checkpoint/formats.js';
import { modelConfig } from '../../src/model/config.js';
import { initialParameters, parameterTable } from '../../src/model/parameters.js';
import { createByteTokenizer } from '../../src/tokenizer/byte.js';
import { charTokenizerFrom } from '../../src/tokenizer/char.js';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.js';

function small(tokenizer: Tokenizer, choices: object = {}): Checkpoint {
  const config = modelConfig({ nEmbd: 2, nHead: 1, blockSize: 2, ...choices, vocabSize: tokenizer.size });
  const random = createPythonRandom(3);
  const numbers = () =>
    initialParameters(parameterTable(config), { std: 0.1, residualStd: 0.1 }, random.gauss).map(Math.fround);
  return {
    config,
    tokenizer,
    parameters: numbers(),
    optimizer: {
      step: 3,
      learningRate: 0.01,
      beta1: 0.9,
      beta2: 0.99,
      eps: 1e-8,
      weightDecay: 0,
      moments: { m: numbers(), v: numbers() },
    },
    run: { seed: 7 },
  };
}

const chars = small(charTokenizerFrom(['ab'], 'last'));
const chat = small(charTokenizerFrom(['ab'], 'chat'), { bias: true });
const cpp = { norm: 'layernorm', activation: 'gelu', bias: true, embedNorm: false, finalNorm: true };
const bytes = small(createByteTokenizer(), cpp);

/** By format: a model that it holds, and its files in the order in which they are written. */
export const MODELS: Record<FormatName, { readonly model: Checkpoint; readonly files: readonly Uint8Array[] }> = {
  'nested model.json': files(chars, 'nested model.json'),
  'flat model.json': files(chars, 'flat model.json'),
  safetensors: files(chat, 'safetensors'),
  'prefix .json + .bin': files(bytes, 'prefix .json + .bin'),
  'weights.json + meta.json': files(small(charTokenizerFrom(['ab'], 'chat')), 'weights.json + meta.json'),
};

function files(model: Checkpoint, format: FormatName) {
  return { model, files: encodeModel(model, format, 'model').files.map((file) => file.bytes) };
}
