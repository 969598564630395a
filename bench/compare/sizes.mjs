// What all contestants share: the two models, their first weights, batches that fill the context, Adam's settings.
import { createPythonRandom } from '../../dist/base/python-random.js';
import { collate } from '../../dist/data/batches.js';
import { modelConfig } from '../../dist/model/config.js';
import { initialParameters, parameterTable } from '../../dist/model/parameters.js';

export const ADAM = { learningRate: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0 };

const JOBS = {
  '4 × 128, context 64, batch 12': { nEmbd: 128, nHead: 4, nLayer: 4, blockSize: 64, batch: 12 },
  '6 × 384, context 256, batch 4': { nEmbd: 384, nHead: 6, nLayer: 6, blockSize: 256, batch: 4 },
};

/** @returns {{ name: string, config: import('../../dist/model/config.js').ModelConfig, B: number, [k: string]: any }[]} */
export function jobs() {
  return Object.entries(JOBS).map(([name, { batch: B, ...sizes }]) => {
    const config = modelConfig({ ...sizes, vocabSize: 65 });
    const table = parameterTable(config);
    const random = createPythonRandom(42);
    const parameters = initialParameters(table, { std: 0.02, residualStd: 0.02 }, random.gauss);
    const sequences = Array.from({ length: B }, () =>
      Int32Array.from({ length: config.blockSize + 1 }, () => random.randbelow(config.vocabSize)),
    );
    return { name, config, B, table, parameters, batch: collate(sequences, config.blockSize) };
  });
}

/** The weights as the packages want them: one matrix each, wq, wk and wv of a layer as one [3C, C]. */
export function matrices({ config, table, parameters }) {
  const C = config.nEmbd;
  const at = (name, shape) => {
    const { offset } = table.byName.get(name);
    return [shape, Float32Array.from(parameters.subarray(offset, offset + shape[0] * shape[1]))];
  };
  const out = {
    wte: at('wte', [config.vocabSize, C]),
    wpe: at('wpe', [config.blockSize, C]),
    lmHead: at('lm_head', [config.vocabSize, C]),
  };
  for (let l = 0; l < config.nLayer; l++) {
    out[`qkv${l}`] = at(`layer${l}.attn_wq`, [3 * C, C]);
    out[`wo${l}`] = at(`layer${l}.attn_wo`, [C, C]);
    out[`fc1${l}`] = at(`layer${l}.mlp_fc1`, [4 * C, C]);
    out[`fc2${l}`] = at(`layer${l}.mlp_fc2`, [C, 4 * C]);
  }
  return out;
}
