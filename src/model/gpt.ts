/**
 * The model, written once over ops: used for training, for checking and for inference, on every backend.
 * Refuses to know: text, optimizers, where numbers are computed. Attention over whole sequences and attention over a cache differ
 * only in the op that `attend` records.
 * Letters: R rows (tokens), C channels, V vocabulary.
 */
import { type Tensor, view } from '../tensor/backend.js';
import { activation, add, embed, linear, norm } from '../tensor/ops.js';
import type { Node, Tape } from '../tensor/tape.js';
import type { ModelConfig } from './config.js';
import type { ParameterTable } from './parameters.js';

/** The parameters of a model in a backend's memory: one buffer, and one for its gradients when training. */
export interface ModelBuffers {
  readonly config: ModelConfig;
  readonly table: ParameterTable;
  readonly params: Tensor; // [total]
  readonly grads: Tensor | null; // [total]
}

/** qkv [R,3C] of one layer → what attention gives back [R,C] */
export type Attend = (tape: Tape, layer: number, qkv: Node) => Node;

/** Drops some of the numbers at a place of the model: 0 is the embedding, 1 + 2·layer its attention, 2 + 2·layer its perceptron. */
export type Drop = (tape: Tape, place: number, x: Node) => Node;

/** How many places may drop. */
export function dropoutPlaces({ nLayer }: ModelConfig): number {
  return 1 + 2 * nLayer;
}

const keepAll: Drop = (_tape, _place, x) => x;

/**
 * tokens [R] at positions [R] → logits [R,V]. Dropout stands where GPT-2 has it, on the embedding and on what each branch adds to the
 * stream, but not on the probabilities of attention.
 */
export function gpt(
  tape: Tape,
  model: ModelBuffers,
  tokens: Tensor,
  positions: Tensor,
  attend: Attend,
  drop: Drop = keepAll,
): Node {
  const { config } = model;
  const C = config.nEmbd;
  const weight = (name: string, shape?: readonly number[]) => parameterNode(model, name, shape);
  const bias = (name: string, shape?: readonly number[]) => (config.bias ? weight(name, shape) : null);

  let x = embed(tape, tokens, positions, weight('wte'), weight('wpe')); // [R,C]
  if (config.embedNorm) x = norm(tape, config.norm, x);
  x = drop(tape, 0, x);

  for (let layer = 0; layer < config.nLayer; layer++) {
    const name = (part: string) => `layer${layer}.${part}`;

    // wq, wk and wv are neighbours in the parameter table: one product makes Q | K | V.
    const qkv = linear(
      tape,
      norm(tape, config.norm, x),
      weight(name('attn_wq'), [3 * C, C]),
      bias(name('attn_bq'), [3 * C]),
    ); // [R,3C]
    const mixed = attend(tape, layer, qkv); // [R,C]
    const seen = linear(tape, mixed, weight(name('attn_wo')), bias(name('attn_bo')));
    x = add(tape, drop(tape, 1 + 2 * layer, seen), x);

    const hidden = linear(tape, norm(tape, config.norm, x), weight(name('mlp_fc1')), bias(name('mlp_b1'))); // [R,4C]
    const bent = activation(tape, config.activation, hidden);
    const thought = linear(tape, bent, weight(name('mlp_fc2')), bias(name('mlp_b2')));
    x = add(tape, drop(tape, 2 + 2 * layer, thought), x);
  }

  if (config.finalNorm) x = norm(tape, config.norm, x);
  return linear(tape, x, weight('lm_head'), bias('lm_head_bias')); // [R,V]
}

/** A parameter, or the run of neighbours that starts with it when a larger shape is asked for. */
function parameterNode(model: ModelBuffers, name: string, shape?: readonly number[]): Node {
  const p = model.table.byName.get(name);
  if (p === undefined) throw new Error(`no parameter is called ${name}`);
  const part = (x: Tensor) => view(x, p.offset, shape ?? p.shape);
  return { value: part(model.params), grad: model.grads === null ? null : part(model.grads) };
}
