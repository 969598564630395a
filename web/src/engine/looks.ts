/**
 * What the views of the inside are made of: a text as the model reads it, one neuron at its last token, tensors of weights.
 * Refuses to know: the page. Invariant: every number is the engine's own.
 */
import { type Checkpoint, inspect, parameterTable, readPrompt } from 'microgpt';
import type { Neuron, Seen, WeightNames } from './protocol';

const TOP = 12;

export function see(model: Checkpoint, text: string): Seen {
  const { tokens, next, look } = inspect(model, text, { top: TOP });
  const { ids, unknown, folded } = readPrompt(model.tokenizer, text);
  return {
    tokens,
    unknown,
    folded,
    cut: ids.length + 1 > tokens.length, // one stands before the text
    next,
    heads: model.config.nHead,
    attention: look.attention.map((layer) => Float32Array.from(layer)),
    stages: look.stages.map((stage) => ({ ...stage, values: Float32Array.from(stage.values) })),
  };
}

/** As many inputs of the strongest hidden unit as are shown, the rest as one number. */
export function neuron(model: Checkpoint, text: string, shown: number): Neuron {
  const { look } = inspect(model, text, { top: 1 });
  const { config, parameters } = model;
  const table = parameterTable(config);
  const weights = table.byName.get('layer0.mlp_fc1');
  const widened = look.stages.findIndex(({ name }) => name === 'widened');
  const [input, output, bent] = look.stages.slice(widened - 1, widened + 2);
  const answers = bent.values.subarray((look.length - 1) * bent.width, look.length * bent.width);
  const unit = answers.indexOf(answers.reduce((a, b) => Math.max(a, b)));
  const last = (look.length - 1) * input.width;
  const inputs = [...input.values.subarray(last, last + input.width)];
  const from = (weights?.offset ?? 0) + unit * input.width;
  const row = [...parameters.subarray(from, from + input.width)];
  const order = inputs.map((x, i) => ({ i, size: Math.abs(x * row[i]) })).sort((a, b) => b.size - a.size);
  const chosen = order.slice(0, shown).map(({ i }) => i);
  const sum = output.values[(look.length - 1) * output.width + unit];
  const seen = chosen.reduce((total, i) => total + inputs[i] * row[i], 0);
  return {
    unit,
    inputs: chosen.map((i) => inputs[i]),
    weights: chosen.map((i) => row[i]),
    activation: config.activation,
    rest: sum - seen,
    output: answers[unit],
  };
}

export function tensorsOf(config: Checkpoint['config']): WeightNames['tensors'] {
  return parameterTable(config).list.map(({ name, shape }) => ({
    name,
    rows: shape[1] === undefined ? 1 : shape[0],
    columns: shape[1] ?? shape[0],
  }));
}
