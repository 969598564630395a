/**
 * What the views of the inside are made of: a text as the model reads it, one neuron at its last token, tensors of weights.
 * Refuses to know: the page. Invariant: every number is the engine's own.
 */
import { type Checkpoint, inspect, parameterTable } from 'microgpt';
import type { Neuron, Seen, WeightNames } from './protocol';

const TOP = 12;

export function see(model: Checkpoint, text: string): Seen {
  const { tokens, next, look } = inspect(model, text, { top: TOP });
  return {
    tokens,
    unknown: model.tokenizer.encode(text).unknown,
    next,
    heads: model.config.nHead,
    attention: look.attention.map((layer) => Float32Array.from(layer)),
    stages: look.stages.map((stage) => ({ ...stage, values: Float32Array.from(stage.values) })),
  };
}

/** Hidden unit `unit` of the first layer: as many of its inputs as are shown, and the rest as one number. */
export function neuron(model: Checkpoint, text: string, unit: number, shown: number): Neuron {
  const { look } = inspect(model, text, { top: 1 });
  const { config, parameters } = model;
  const table = parameterTable(config);
  const weights = table.byName.get('layer0.mlp_fc1');
  const widened = look.stages.findIndex(({ name }) => name === 'widened');
  const [input, output] = [look.stages[widened - 1], look.stages[widened]];
  const last = (look.length - 1) * input.width;
  const inputs = [...input.values.subarray(last, last + input.width)];
  const from = (weights?.offset ?? 0) + unit * input.width;
  const row = [...parameters.subarray(from, from + input.width)];
  const order = inputs.map((x, i) => ({ i, size: Math.abs(x * row[i]) })).sort((a, b) => b.size - a.size);
  const chosen = order.slice(0, shown).map(({ i }) => i);
  const sum = output.values[(look.length - 1) * output.width + unit];
  const seen = chosen.reduce((total, i) => total + inputs[i] * row[i], 0);
  return {
    inputs: chosen.map((i) => inputs[i]),
    weights: chosen.map((i) => row[i]),
    activation: config.activation,
    rest: sum - seen,
    output: look.stages[widened + 1].values[(look.length - 1) * output.width + unit],
  };
}

export function tensorsOf(config: Checkpoint['config']): WeightNames['tensors'] {
  return parameterTable(config).list.map(({ name, shape }) => ({
    name,
    rows: shape[1] === undefined ? 1 : shape[0],
    columns: shape[1] ?? shape[0],
  }));
}
