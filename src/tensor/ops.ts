/**
 * The ops that a model is written in: each takes nodes, records itself on the tape and returns the node of its result.
 * An op exists when it has a forward, a backward, a reference implementation and a gradient check.
 * Letters as in backend.ts: R rows, I inputs, O outputs, C channels, V vocabulary, S sequences, N context length.
 */
import { type ActivationKind, type NormKind, sizeOf, type Tensor } from './backend.js';
import { type Node, newNode, record, type Tape } from './tape.js';

/** out[r] = tokenTable[tokens[r]] + positionTable[positions[r]]: ids [R] with tables [V,C] and [N,C] give [R,C]. */
export function embed(tape: Tape, tokens: Tensor, positions: Tensor, tokenTable: Node, positionTable: Node): Node {
  const out = newNode(tape, [sizeOf(tokens.shape), tokenTable.value.shape[1]]); // [R,C]
  record(
    tape,
    {
      op: 'embed',
      tokens,
      positions,
      tokenTable: tokenTable.value,
      positionTable: positionTable.value,
      out: out.value,
    },
    out,
    (grad) => [
      {
        op: 'embedBackward',
        tokens,
        positions,
        dOut: grad(out),
        dTokenTable: grad(tokenTable),
        dPositionTable: grad(positionTable),
      },
    ],
  );
  return out;
}

/** rmsnorm (Zhang & Sennrich, 2019) or layernorm (Ba et al., 2016), without gain. */
export function norm(tape: Tape, kind: NormKind, x: Node): Node {
  const out = newNode(tape, x.value.shape); // [R,C]
  const rstd = tape.backend.alloc([x.value.shape[0]]); // [R]
  record(tape, { op: 'norm', kind, x: x.value, out: out.value, rstd }, out, (grad) => [
    { op: 'normBackward', kind, out: out.value, rstd, dOut: grad(out), dX: grad(x) },
  ]);
  return out;
}

/** x·wᵀ + bias: [R,I] with w [O,I] and bias [O] gives [R,O]. */
export function linear(tape: Tape, x: Node, w: Node, bias: Node | null): Node {
  const out = newNode(tape, [x.value.shape[0], w.value.shape[0]]); // [R,O]
  record(tape, { op: 'linear', x: x.value, w: w.value, bias: bias?.value ?? null, out: out.value }, out, (grad) => [
    {
      op: 'linearBackward',
      x: x.value,
      w: w.value,
      dOut: grad(out),
      dX: grad(x),
      dW: grad(w),
      dBias: bias === null ? null : grad(bias),
    },
  ]);
  return out;
}

/** How the rows of a batch are shared out among its sequences. */
export interface Sequences {
  readonly count: number; // B
  /** Rows of each, or of the longest there may be. */
  readonly longest: number; // T
  /** int [B+1], the first row of each, when their lengths differ. */
  readonly starts?: Tensor;
}

/** Causal self-attention (Vaswani et al., 2017) within each sequence. qkv [R,3C] → [R,C] */
export function attention(tape: Tape, heads: number, { count, longest, starts }: Sequences, qkv: Node): Node {
  const [rows, width] = qkv.value.shape;
  const out = newNode(tape, [rows, width / 3]);
  const asBatch = (x: Tensor): Tensor => ({
    ...x,
    shape: starts === undefined ? [count, longest, sizeOf(x.shape) / rows] : [1, rows, sizeOf(x.shape) / rows],
  });
  const probs = tape.backend.alloc([count, heads, longest, longest]);
  const packed = starts === undefined ? {} : { starts };
  record(
    tape,
    { op: 'attention', heads, qkv: asBatch(qkv.value), probs, out: asBatch(out.value), ...packed },
    out,
    (grad) => [
      {
        op: 'attentionBackward',
        heads,
        qkv: asBatch(qkv.value),
        probs,
        dOut: asBatch(grad(out)),
        dQkv: asBatch(grad(qkv)),
        ...packed,
      },
    ],
  );
  return out;
}

/** What attention remembers of each of S sequences, for one layer. */
export interface KeyValueCache {
  readonly keys: Tensor; // [S,N,C]
  readonly values: Tensor; // [S,N,C]
}

/** Attention for single tokens over the caches of their sequences; see `attentionStep` in backend.ts. For inference only. */
export function attentionStep(
  tape: Tape,
  heads: number,
  qkv: Node, // [R,3C]
  positions: Tensor, // int [R]
  sequences: Tensor, // int [R]
  { keys, values }: KeyValueCache,
): Node {
  const [rows, width] = qkv.value.shape;
  const out = newNode(tape, [rows, width / 3]);
  const op = {
    op: 'attentionStep',
    heads,
    qkv: qkv.value,
    positions,
    sequences,
    keys,
    values,
    out: out.value,
  } as const;
  record(tape, op, out, () => {
    throw new Error('attentionStep has no backward: train with attention');
  });
  return out;
}

/** relu, relu² (So et al., 2021) or gelu (Hendrycks & Gimpel, 2016) of every element, in any shape. */
export function activation(tape: Tape, kind: ActivationKind, x: Node): Node {
  const out = newNode(tape, x.value.shape);
  record(tape, { op: 'activation', kind, x: x.value, out: out.value }, out, (grad) => [
    { op: 'activationBackward', kind, x: x.value, dOut: grad(out), dX: grad(x) },
  ]);
  return out;
}

/** a + b, of the same shape: the residual connection. Its gradient goes to both as it is. */
export function add(tape: Tape, a: Node, b: Node): Node {
  const out = newNode(tape, a.value.shape);
  record(tape, { op: 'add', a: a.value, b: b.value, out: out.value }, out, (grad) => [
    { op: 'accumulate', x: grad(out), into: grad(a) },
    { op: 'accumulate', x: grad(out), into: grad(b) },
  ]);
  return out;
}

/** What dropout at one place of the model reads; see `dropout` in backend.ts. */
export interface DropoutPlace {
  readonly key: Tensor; // int [3]
  readonly scale: Tensor; // [1]
}

/** Zeroes elements by the mask of the place and scales the others (Srivastava et al., 2014), so that their mean stays. In any shape. */
export function dropout(tape: Tape, { key, scale }: DropoutPlace, x: Node): Node {
  const out = newNode(tape, x.value.shape);
  record(tape, { op: 'dropout', x: x.value, key, scale, out: out.value }, out, (grad) => [
    { op: 'dropoutBackward', dOut: grad(out), key, scale, dX: grad(x) },
  ]);
  return out;
}

/** The end of a training calculation. `weights[r]` says how much row r counts; gradients start here, with d loss = 1. */
export function crossEntropy(
  tape: Tape,
  logits: Node,
  targets: Tensor,
  weights: Tensor,
): { readonly loss: Tensor; readonly losses: Tensor } {
  const { alloc } = tape.backend;
  const probs = alloc(logits.value.shape); // [R,V]
  const losses = alloc([logits.value.shape[0]]); // [R]
  const loss = alloc([1]);
  record(tape, { op: 'crossEntropy', logits: logits.value, targets, weights, probs, losses, loss }, null, (grad) => [
    { op: 'crossEntropyBackward', probs, targets, weights, dLogits: grad(logits) },
  ]);
  return { loss, losses };
}
