/**
 * The sizes and choices that make one GPT different from another. Covers every earlier system.
 * Refuses to know: weights, tokens, files. Invariant: a ModelConfig made here is complete, in range and consistent.
 */
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { ActivationKind, NormKind } from '../tensor/backend.js';

/** The sizes and choices that make one GPT different from another. */
export interface ModelConfig {
  /** C: length of the vector that stands for a token. */
  readonly nEmbd: number;
  /** H: attention heads, each C/H wide. */
  readonly nHead: number;
  readonly nLayer: number;
  /** N, the context length: how many tokens the model can look at. */
  readonly blockSize: number;
  /** V: number of different tokens. */
  readonly vocabSize: number;
  /** Both without learned gain. */
  readonly norm: NormKind;
  /** relu2 is the square of relu; gelu is its tanh form. */
  readonly activation: ActivationKind;
  /** Biases in every linear layer. */
  readonly bias: boolean;
  /** A norm right after the embedding. */
  readonly embedNorm: boolean;
  /** A norm before the last linear layer. */
  readonly finalNorm: boolean;
}

/** The canonical model's choices; its vocabulary comes from the data. */
export const DEFAULT_CONFIG: Omit<ModelConfig, 'vocabSize'> = {
  nEmbd: 16,
  nHead: 4,
  nLayer: 1,
  blockSize: 16,
  norm: 'rmsnorm',
  activation: 'relu',
  bias: false,
  embedNorm: true,
  finalNorm: false,
};

export const NORMS: readonly NormKind[] = ['rmsnorm', 'layernorm'];
export const ACTIVATIONS: readonly ActivationKind[] = ['relu', 'relu2', 'gelu'];

/**
 * Completes and checks a configuration. What is left out is the canonical model's.
 * @throws MG_CONFIG_INVALID when a size is not a whole number in range, or nHead does not divide nEmbd.
 */
export function modelConfig(given: Partial<ModelConfig> & Pick<ModelConfig, 'vocabSize'>): ModelConfig {
  const config: ModelConfig = { ...DEFAULT_CONFIG, ...given };
  const stranger = Object.keys(config).find((name) => !Object.hasOwn(DEFAULT_CONFIG, name) && name !== 'vocabSize');
  if (stranger !== undefined) {
    const names = [...Object.keys(DEFAULT_CONFIG), 'vocabSize'].join(', ');
    throw new MicrogptError('MG_CONFIG_INVALID', `a model has no ${JSON.stringify(stranger)}`, `choose from ${names}`);
  }
  for (const name of ['nEmbd', 'nHead', 'nLayer', 'blockSize', 'vocabSize'] as const) {
    const value: unknown = config[name];
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > LIMITS[name]) {
      throw new MicrogptError(
        'MG_CONFIG_INVALID',
        `${name} is ${String(value)}, expected a whole number from 1 to ${LIMITS[name]}`,
        `choose another ${name}`,
      );
    }
  }
  if (config.nEmbd % config.nHead !== 0) {
    throw new MicrogptError(
      'MG_CONFIG_INVALID',
      `nEmbd ${config.nEmbd} cannot be shared out among ${config.nHead} heads`,
      `choose an nEmbd that is a multiple of ${config.nHead}, or another nHead`,
    );
  }
  for (const name of ['bias', 'embedNorm', 'finalNorm'] as const) {
    if (typeof config[name] !== 'boolean') {
      throw new MicrogptError('MG_CONFIG_INVALID', `${name} is ${String(config[name])}`, 'choose true or false');
    }
  }
  requireOneOf('norm', config.norm, NORMS);
  requireOneOf('activation', config.activation, ACTIVATIONS);
  return config;
}

function requireOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (!allowed.includes(value as string)) {
    throw new MicrogptError('MG_CONFIG_INVALID', `${name} is ${String(value)}`, `choose one of ${allowed.join(', ')}`);
  }
}
