/**
 * The whole GPT in single numbers: every multiplication is a Value, so this file is the model as the lesson would write it.
 * Slow on purpose. It is the oracle that the tensor engine is compared with, so it shares no code with it and knows no tensors.
 * Invariant: one call of `gptStep` reads one token at one position and sees the past only through the keys and values it was given.
 *
 * Letters: C channels, H heads, D = C/H head size, V vocabulary. A matrix is a list of rows, one row per output.
 */
import type { Tape, Value } from './value.js';

export interface ValueGptConfig {
  readonly nLayer: number;
  readonly nHead: number;
  readonly norm: 'rmsnorm' | 'layernorm';
  readonly activation: 'relu' | 'relu2' | 'gelu';
  readonly bias: boolean;
  readonly embedNorm: boolean;
  readonly finalNorm: boolean;
}

/** Weights by name: matrices as rows, a bias as a matrix of one row. */
export type ValueWeights = Readonly<Record<string, readonly (readonly Value[])[]>>;

type Vector = readonly Value[];

/** What attention remembers of the tokens so far: one key and one value vector per layer and position. */
export interface ValueCache {
  readonly keys: Vector[][]; // [layer][position]
  readonly values: Vector[][];
}

/** An empty one, for the beginning of a sequence. */
export function createValueCache(config: ValueGptConfig): ValueCache {
  const perLayer = () => Array.from({ length: config.nLayer }, (): Vector[] => []);
  return { keys: perLayer(), values: perLayer() };
}

/** What may be done to a vector on its way through the model, besides the model. */
export interface ValueHooks {
  /** Drops numbers at a place: 0 is the embedding, 1 + 2·layer the attention of a layer, 2 + 2·layer its perceptron. */
  drop(place: number, x: readonly Value[]): readonly Value[];
  /** Sees what the activation of a layer gave. */
  hidden(layer: number, x: readonly Value[]): void;
}

const NOTHING: ValueHooks = { drop: (_place, x) => x, hidden() {} };

/** Reads one token and returns a score (logit) for each possible next token. */
export function gptStep(
  config: ValueGptConfig,
  w: ValueWeights,
  token: number,
  position: number,
  past: ValueCache,
  { drop, hidden }: ValueHooks = NOTHING,
): Vector {
  const affine = (x: Vector, weight: string, bias: string) => linear(x, w[weight], config.bias ? w[bias][0] : null);

  // What the token is, plus where it stands.
  let x: Vector = addVectors(w['wte'][token], w['wpe'][position]); // [C]
  if (config.embedNorm) x = normalise(config.norm, x);
  x = drop(0, x);

  for (let layer = 0; layer < config.nLayer; layer++) {
    const name = (part: string) => `layer${layer}.${part}`;

    // Attention: each position asks (q) what the earlier ones offer (k), and takes a mixture of what they say (v).
    let y = normalise(config.norm, x);
    const q = affine(y, name('attn_wq'), name('attn_bq')); // [C]
    past.keys[layer].push(affine(y, name('attn_wk'), name('attn_bk')));
    past.values[layer].push(affine(y, name('attn_wv'), name('attn_bv')));
    y = attend(config.nHead, q, past.keys[layer], past.values[layer]); // [C]
    x = addVectors(drop(1 + 2 * layer, affine(y, name('attn_wo'), name('attn_bo'))), x);

    // The multilayer perceptron: widen four times, bend, narrow again.
    y = normalise(config.norm, x);
    y = affine(y, name('mlp_fc1'), name('mlp_b1')).map((h) => activate(config.activation, h)); // [4C]
    hidden(layer, y);
    x = addVectors(drop(2 + 2 * layer, affine(y, name('mlp_fc2'), name('mlp_b2'))), x); // [C]
  }

  if (config.finalNorm) x = normalise(config.norm, x);
  return affine(x, 'lm_head', 'lm_head_bias'); // [V]
}

/**
 * How surprised the model is by a sequence: the mean over positions of −log p(next token), each position weighted by `weights`
 * (1/n for a plain mean over n positions; 0 leaves a position out). `hooks` gives those of a position.
 */
export function sequenceLoss(
  tape: Tape,
  config: ValueGptConfig,
  w: ValueWeights,
  tokens: ArrayLike<number>,
  targets: ArrayLike<number>,
  weights: ArrayLike<number>,
  hooks: (position: number) => ValueHooks = () => NOTHING,
): Value {
  const past = createValueCache(config);
  let loss = tape.leaf(0);
  for (let position = 0; position < tokens.length; position++) {
    const logits = gptStep(config, w, tokens[position], position, past, hooks(position));
    if (weights[position] === 0) continue;
    const surprise = softmax(logits)[targets[position]].log().neg();
    loss = loss.add(surprise.mul(weights[position]));
  }
  return loss;
}

function dot(a: Vector, b: Vector): Value {
  let sum = a[0].mul(b[0]);
  for (let i = 1; i < a.length; i++) sum = sum.add(a[i].mul(b[i]));
  return sum;
}

function linear(x: Vector, rows: readonly Vector[], bias: Vector | null): Value[] {
  return rows.map((row, i) => (bias === null ? dot(row, x) : dot(row, x).add(bias[i])));
}

function addVectors(a: Vector, b: Vector): Value[] {
  return a.map((ai, i) => ai.add(b[i]));
}

function sum(x: Vector): Value {
  return x.slice(1).reduce((total, xi) => total.add(xi), x[0]);
}

/** Brings a vector to unit size (rmsnorm), or to mean 0 and unit size (layernorm), so that no layer shouts. */
function normalise(kind: ValueGptConfig['norm'], x: Vector): Value[] {
  const centred = kind === 'rmsnorm' ? x : subtractMean(x);
  const meanSquare = dot(centred, centred).div(x.length);
  const scale = meanSquare.add(1e-5).pow(-0.5);
  return centred.map((xi) => xi.mul(scale));
}

function subtractMean(x: Vector): Value[] {
  const mean = sum(x).div(x.length);
  return x.map((xi) => xi.sub(mean));
}

/** Scores → probabilities. Subtracting the largest score changes nothing but keeps e^x in range. */
function softmax(logits: Vector): Value[] {
  const largest = Math.max(...logits.map((l) => l.data));
  const exps = logits.map((l) => l.sub(largest).exp());
  const scale = sum(exps).pow(-1);
  return exps.map((e) => e.mul(scale));
}

function attend(heads: number, q: Vector, keys: readonly Vector[], values: readonly Vector[]): Value[] {
  const size = q.length / heads; // D
  const out: Value[] = [];
  for (let h = 0; h < heads; h++) {
    const part = (x: Vector) => x.slice(h * size, (h + 1) * size); // [D]
    const qh = part(q);
    const scores = keys.map((k) => dot(qh, part(k)).div(Math.sqrt(size)));
    const shares = softmax(scores); // one per position so far
    for (let i = h * size; i < (h + 1) * size; i++) {
      out.push(sum(shares.map((share, position) => share.mul(values[position][i]))));
    }
  }
  return out; // [C]
}

/** The bend that makes a network more than one big matrix. */
function activate(kind: ValueGptConfig['activation'], x: Value): Value {
  switch (kind) {
    case 'relu':
      return x.relu();
    case 'relu2':
      return x.relu().pow(2);
    case 'gelu': {
      // Hendrycks & Gimpel (2016), the tanh form
      const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(0.7978845608);
      return x.mul(0.5).mul(inner.tanh().add(1));
    }
  }
}
