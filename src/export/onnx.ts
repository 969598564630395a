/**
 * A model as one ONNX graph, for the field's runtimes: reads any number of tokens after any number that it has read before.
 *   tokens [batch, time], past_key_<i>, past_value_<i> [batch, H, past, D] → logits [batch, time, V], present_key_<i>, present_value_<i>
 * The first call gives past tensors of length 0; each further call gives back what it got. The context still holds N tokens in all.
 * Configuration and tokenizer go along as metadata. Follows model/gpt.ts line by line. Letters: C channels, H heads, D = C/H, V vocabulary.
 */
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { configFields } from '../checkpoint/json-fields.js';
import { parameterTable } from '../model/parameters.js';
import { tokenizerToJson } from '../tokenizer/tokenizer-json.js';
import { createGraph, type Graph } from './onnx-graph.js';

const NORM_EPS = 1e-5;
const LARGEST_MESSAGE = 2 ** 31 - 2 ** 20; // protobuf ends at 2 GiB
const MASKED = -3e38;

/** The file. @throws MG_CKPT_FORMAT when the model is larger than such a file can be */
export function encodeOnnx({ config, tokenizer, parameters }: Checkpoint): Uint8Array {
  const { nEmbd: C, nHead: H, nLayer, vocabSize: V } = config;
  const D = C / H;
  const table = parameterTable(config);
  if (4 * table.total > LARGEST_MESSAGE) {
    const message = `${count(table.total)} weights are more than the 2 GiB that an ONNX file holds`;
    throw new MicrogptError('MG_CKPT_FORMAT', message, 'convert to .safetensors');
  }
  const g = createGraph('microgpt');
  const numbers = (name: string, size?: number): Float32Array => {
    const p = table.byName.get(name)!;
    return Float32Array.from(parameters.subarray(p.offset, p.offset + (size ?? p.size)));
  };
  const bias = (name: string, size: number) => (config.bias ? g.weights(name, [size], numbers(name, size)) : null);
  const linear = (x: string, name: string, [O, I]: readonly [number, number], b: string | null): string => {
    const product = g.node('MatMul', [x, g.weights(name, [I, O], transposed(numbers(name, O * I), O, I))]);
    return b === null ? product : g.node('Add', [product, b]);
  };
  const norm = (x: string) => normalised(g, x, config.norm === 'layernorm');

  const tokens = g.input('tokens', 'int64', ['batch', 'time']);
  const pasts = Array.from({ length: nLayer }, (_, i) => ({
    key: g.input(`past_key_${i}`, 'float', ['batch', H, 'past', D]),
    value: g.input(`past_value_${i}`, 'float', ['batch', H, 'past', D]),
  }));
  g.output('logits', 'float', ['batch', 'time', V]);
  for (let i = 0; i < nLayer; i++) {
    g.output(`present_key_${i}`, 'float', ['batch', H, 'total', D]);
    g.output(`present_value_${i}`, 'float', ['batch', H, 'total', D]);
  }

  // Positions: past … past + time - 1
  const dimension = (x: string, axis: number) => g.node('Gather', [g.node('Shape', [x]), g.integers([axis], [])]);
  const past = dimension(pasts[0].key, 2);
  const total = g.node('Add', [past, dimension(tokens, 1)]);
  const one = g.integers([1], []);
  const positions = g.node('Range', [past, total, one]); // [time]
  const visible = g.node('LessOrEqual', [
    g.node('Range', [g.integers([0], []), total, one]), // [total]
    g.node('Unsqueeze', [positions, g.integers([1])]), // [time, 1]
  ]); // [time, total]

  const wte = g.weights('wte', [V, C], numbers('wte'));
  const wpe = g.weights('wpe', [config.blockSize, C], numbers('wpe'));
  let x = g.node('Add', [g.node('Gather', [wte, tokens]), g.node('Gather', [wpe, positions])]); // [batch, time, C]
  if (config.embedNorm) x = norm(x);

  for (let i = 0; i < nLayer; i++) {
    const name = (part: string) => `layer${i}.${part}`;
    // wq, wk and wv are neighbours in the parameter table, as are their biases.
    const qkv = linear(norm(x), name('attn_wq'), [3 * C, C], bias(name('attn_bq'), 3 * C)); // [batch, time, 3C]
    const parts = ['q', 'k', 'v'].map((part) => name(part));
    g.node('Split', [qkv, g.integers([C, C, C])], { axis: 2 }, parts);
    const heads = (part: string) =>
      g.node('Transpose', [g.node('Reshape', [part, g.integers([0, 0, H, D])])], { perm: [0, 2, 1, 3] });
    const [q, k, v] = parts.map(heads); // [batch, H, time, D]
    const keys = g.node('Concat', [pasts[i].key, k], { axis: 2 }, [`present_key_${i}`]); // [batch, H, total, D]
    const values = g.node('Concat', [pasts[i].value, v], { axis: 2 }, [`present_value_${i}`]);
    const products = g.node('MatMul', [q, g.node('Transpose', [keys], { perm: [0, 1, 3, 2] })]);
    const scores = g.node('Mul', [products, g.scalar(1 / Math.sqrt(D))]); // [batch, H, time, total]
    const probabilities = g.node('Softmax', [g.node('Where', [visible, scores, g.scalar(MASKED)])], { axis: 3 });
    const mixed = g.node('Transpose', [g.node('MatMul', [probabilities, values])], { perm: [0, 2, 1, 3] });
    const side = g.node('Reshape', [mixed, g.integers([0, 0, C])]); // [batch, time, C]
    x = g.node('Add', [linear(side, name('attn_wo'), [C, C], bias(name('attn_bo'), C)), x]);

    const hidden = linear(norm(x), name('mlp_fc1'), [4 * C, C], bias(name('mlp_b1'), 4 * C)); // [batch, time, 4C]
    const bent = activated(g, hidden, config.activation);
    x = g.node('Add', [linear(bent, name('mlp_fc2'), [C, 4 * C], bias(name('mlp_b2'), C)), x]);
  }

  if (config.finalNorm) x = norm(x);
  const product = g.node('MatMul', [x, g.weights('lm_head', [C, V], transposed(numbers('lm_head'), V, C))], {}, [
    config.bias ? 'logits_before_bias' : 'logits',
  ]);
  if (config.bias) g.node('Add', [product, g.weights('lm_head_bias', [V], numbers('lm_head_bias'))], {}, ['logits']);
  return g.finish('microgpt', {
    config: JSON.stringify(configFields(config, null)),
    tokenizer: JSON.stringify(tokenizerToJson(tokenizer)),
  });
}

/** x / √(mean(x²) + ε), for layernorm of x - mean(x); no learned gain. */
function normalised(g: Graph, x: string, centred: boolean): string {
  const mean = (of: string) => g.node('ReduceMean', [of], { axes: [-1], keepdims: 1 });
  const shifted = centred ? g.node('Sub', [x, mean(x)]) : x;
  const variance = mean(g.node('Mul', [shifted, shifted]));
  return g.node('Div', [shifted, g.node('Sqrt', [g.node('Add', [variance, g.scalar(NORM_EPS)])])]);
}

function activated(g: Graph, x: string, kind: 'relu' | 'relu2' | 'gelu'): string {
  switch (kind) {
    case 'relu':
      return g.node('Relu', [x]);
    case 'relu2': {
      const positive = g.node('Relu', [x]);
      return g.node('Mul', [positive, positive]);
    }
    case 'gelu': {
      // ½x(1 + tanh(√(2/π)(x + 0.044715x³)))
      const cube = g.node('Mul', [g.node('Mul', [x, x]), x]);
      const inner = g.node('Add', [x, g.node('Mul', [cube, g.scalar(0.044715)])]);
      const bent = g.node('Tanh', [g.node('Mul', [inner, g.scalar(0.7978845608)])]);
      return g.node('Mul', [g.node('Mul', [x, g.scalar(0.5)]), g.node('Add', [bent, g.scalar(1)])]);
    }
  }
}

/** [rows, columns] → [columns, rows] */
function transposed(numbers: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(numbers.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = numbers[r * columns + c];
  return out;
}
