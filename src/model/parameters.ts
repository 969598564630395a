/**
 * The one table of parameters: name → shape → place. Initialisation, checkpoints, optimizers and counts all go by it.
 * All parameters lie in one contiguous buffer in the order of the table, which is also the order in which Python's programs
 * draw them at initialisation; wq, wk and wv of a layer are neighbours, so they can be read as one matrix [3C, C].
 */
import { count, counted } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { ModelConfig } from './config.js';

/** One matrix or bias: its name and shape, and its place among all parameters. */
export interface Parameter {
  readonly name: string;
  /** Rows are outputs: y[o] = Σ_i w[o][i]·x[i]. A bias has one dimension. */
  readonly shape: readonly [number, number] | readonly [number];
  readonly kind: 'embedding' | 'matrix' | 'residual' | 'bias';
  /** First element in the buffer, and how many. */
  readonly offset: number;
  readonly size: number;
}

/** All parameters of a model, in the order in which they lie one after the other. */
export interface ParameterTable {
  readonly list: readonly Parameter[];
  readonly byName: ReadonlyMap<string, Parameter>;
  /** Numbers in all parameters together. */
  readonly total: number;
}

/** @throws MG_CONFIG_INVALID when the model would have more parameters than fit. */
export function parameterTable(config: ModelConfig): ParameterTable {
  const { nEmbd: C, nLayer, blockSize: N, vocabSize: V, bias } = config;
  const list: Parameter[] = [];
  let total = 0;
  const add = (name: string, shape: Parameter['shape'], kind: Parameter['kind']) => {
    const size = shape[0] * (shape[1] ?? 1);
    list.push({ name, shape, kind, offset: total, size });
    total += size;
  };

  add('wte', [V, C], 'embedding');
  add('wpe', [N, C], 'embedding');
  add('lm_head', [V, C], 'matrix');
  if (bias) add('lm_head_bias', [V], 'bias');
  for (let i = 0; i < nLayer; i++) {
    const layer = `layer${i}.`;
    for (const name of ['attn_wq', 'attn_wk', 'attn_wv']) add(layer + name, [C, C], 'matrix');
    if (bias) for (const name of ['attn_bq', 'attn_bk', 'attn_bv']) add(layer + name, [C], 'bias');
    add(`${layer}attn_wo`, [C, C], 'residual');
    if (bias) add(`${layer}attn_bo`, [C], 'bias');
    add(`${layer}mlp_fc1`, [4 * C, C], 'matrix');
    if (bias) add(`${layer}mlp_b1`, [4 * C], 'bias');
    add(`${layer}mlp_fc2`, [C, 4 * C], 'residual');
    if (bias) add(`${layer}mlp_b2`, [C], 'bias');
  }

  if (total > LIMITS.parameters) {
    throw new MicrogptError(
      'MG_CONFIG_INVALID',
      `a model of this size has ${counted(total, 'parameter')}, limit ${count(LIMITS.parameters)}`,
      'choose a smaller nEmbd, nLayer or blockSize',
    );
  }
  return { list, byName: new Map(list.map((p) => [p.name, p])), total };
}

/** Normal initialisation: one standard deviation for all matrices, and one for those that write into the residual stream. */
/** Standard deviations of the first weights, and of those that write into the residual stream. */
export interface InitialSpread {
  readonly std: number;
  readonly residualStd: number;
}

/**
 * Fresh weights [total]. Every matrix element is drawn, in the order of the table, even where the spread is 0, as Python's programs do;
 * biases start at 0 and draw nothing.
 */
export function initialParameters(
  table: ParameterTable,
  spread: InitialSpread,
  gauss: (mean: number, standardDeviation: number) => number,
): Float64Array {
  const out = new Float64Array(table.total);
  for (const p of table.list) {
    if (p.kind === 'bias') continue;
    const std = p.kind === 'residual' ? spread.residualStd : spread.std;
    for (let i = 0; i < p.size; i++) out[p.offset + i] = gauss(0, std);
  }
  return out;
}
