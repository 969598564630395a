/**
 * The border between the model and the arithmetic: what a backend must be able to do.
 * Refuses to know: models, optimizers' schedules, text. A backend knows only tensors and the closed list of ops below.
 * Invariant: addresses and shapes of an op never change after it is recorded, so a backend may compile a list of ops once and
 * replay it for ever; whatever changes from step to step (tokens, learning rate, positions) lives inside tensors.
 *
 * Letters: B batch, T time, R = B·T rows, C channels, H heads, D = C/H head size, V vocabulary, N context length, S sequences.
 * All tensors are contiguous and row-major. Every op that ends in `Backward` ADDS to its `d…` outputs; clear them with `zero`.
 */

export interface Tensor {
  /** First element, counted in elements of the backend's float or int memory. */
  readonly at: number;
  readonly shape: readonly number[];
  readonly type: 'float' | 'int';
}

/** How vectors are brought to the same length; see `ModelConfig`. */
export type NormKind = 'rmsnorm' | 'layernorm';
/** What stands between the two products of a block; see `ModelConfig`. */
export type ActivationKind = 'relu' | 'relu2' | 'gelu';

export type Op =
  /** x = 0 */
  | { readonly op: 'zero'; readonly x: Tensor }
  /** out = a + b, all of one size */
  | { readonly op: 'add'; readonly a: Tensor; readonly b: Tensor; readonly out: Tensor }
  /** into += x, both of one size */
  | { readonly op: 'accumulate'; readonly x: Tensor; readonly into: Tensor }
  /** out[r] = tokenTable[tokens[r]] + positionTable[positions[r]] */
  | {
      readonly op: 'embed';
      readonly tokens: Tensor; // int [R]
      readonly positions: Tensor; // int [R]
      readonly tokenTable: Tensor; // [V,C]
      readonly positionTable: Tensor; // [N,C]
      readonly out: Tensor; // [R,C]
    }
  | {
      readonly op: 'embedBackward';
      readonly tokens: Tensor;
      readonly positions: Tensor;
      readonly dOut: Tensor;
      readonly dTokenTable: Tensor;
      readonly dPositionTable: Tensor;
    }
  /** rmsnorm: out = x·rstd, rstd = (mean(x²) + 1e-5)^-½ · layernorm: out = (x − mean)·rstd, rstd = (var(x) + 1e-5)^-½. No gain. */
  | {
      readonly op: 'norm';
      readonly kind: NormKind;
      readonly x: Tensor; // [R,C]
      readonly out: Tensor; // [R,C]
      readonly rstd: Tensor; // [R]
    }
  | {
      readonly op: 'normBackward';
      readonly kind: NormKind;
      readonly out: Tensor; // [R,C] as the forward op left it
      readonly rstd: Tensor; // [R]
      readonly dOut: Tensor;
      readonly dX: Tensor;
    }
  /** out = x·wᵀ (+ bias) */
  | {
      readonly op: 'linear';
      readonly x: Tensor; // [R,I]
      readonly w: Tensor; // [O,I], a row per output
      readonly bias: Tensor | null; // [O]
      readonly out: Tensor; // [R,O]
    }
  | {
      readonly op: 'linearBackward';
      readonly x: Tensor;
      readonly w: Tensor;
      readonly dOut: Tensor;
      readonly dX: Tensor;
      readonly dW: Tensor;
      readonly dBias: Tensor | null;
    }
  /** Causal self-attention over whole sequences, scores scaled by 1/√D. Rows of qkv are Q | K | V, each with H heads side by side. */
  | {
      readonly op: 'attention';
      readonly heads: number;
      readonly qkv: Tensor; // [B,T,3C]
      readonly probs: Tensor; // [B,H,T,T], zero above the diagonal
      readonly out: Tensor; // [B,T,C]
      /**
       * For sequences of different lengths, one after the other without gaps: rows starts[b] … starts[b+1] − 1 are sequence b.
       * Then qkv is [1,R,3C], out [1,R,C], and the T of probs is the longest there can be; a block of probs is filled from its front as [t,t].
       */
      readonly starts?: Tensor; // int [B+1]
    }
  | {
      readonly op: 'attentionBackward';
      readonly starts?: Tensor; // int [B+1]
      readonly heads: number;
      readonly qkv: Tensor;
      readonly probs: Tensor;
      readonly dOut: Tensor;
      readonly dQkv: Tensor;
    }
  /**
   * Single tokens over caches of keys and values: first every row r stores its K and V at positions[r] of cache sequences[r], then each
   * attends to positions 0 … positions[r] of its own cache. Several rows may belong to one sequence.
   */
  | {
      readonly op: 'attentionStep';
      readonly heads: number;
      readonly qkv: Tensor; // [R,3C]
      readonly positions: Tensor; // int [R]
      readonly sequences: Tensor; // int [R]
      readonly keys: Tensor; // [S,N,C]
      readonly values: Tensor; // [S,N,C]
      readonly out: Tensor; // [R,C]
    }
  | { readonly op: 'activation'; readonly kind: ActivationKind; readonly x: Tensor; readonly out: Tensor }
  | {
      readonly op: 'activationBackward';
      readonly kind: ActivationKind;
      readonly x: Tensor;
      readonly dOut: Tensor;
      readonly dX: Tensor;
    }
  /**
   * Inverted dropout (Srivastava et al., 2014): out = x·mask/(1 − p). Element i is kept as base/dropout-mask.ts says, from a key that lies in
   * a tensor because it changes from step to step: `key` holds the two words of the place's key and the threshold, `scale` 1/(1 − p).
   */
  | {
      readonly op: 'dropout';
      readonly x: Tensor;
      readonly key: Tensor; // int [3]
      readonly scale: Tensor; // [1]
      readonly out: Tensor;
    }
  | {
      readonly op: 'dropoutBackward';
      readonly dOut: Tensor;
      readonly key: Tensor;
      readonly scale: Tensor;
      readonly dX: Tensor;
    }
  /** losses[r] = −log softmax(logits[r])[targets[r]];  loss = Σ weights[r]·losses[r], summed in the order of the rows */
  | {
      readonly op: 'crossEntropy';
      readonly logits: Tensor; // [R,V]
      readonly targets: Tensor; // int [R]
      readonly weights: Tensor; // [R]; a row of weight 0 takes no part
      readonly probs: Tensor; // [R,V]
      readonly losses: Tensor; // [R]
      readonly loss: Tensor; // [1]
    }
  | {
      readonly op: 'crossEntropyBackward';
      readonly probs: Tensor;
      readonly targets: Tensor;
      readonly weights: Tensor;
      readonly dLogits: Tensor;
    }
  /** norm = √Σ grads², the squares summed in f64 in blocks of 4,096 elements, then the blocks in their order */
  | { readonly op: 'gradNorm'; readonly grads: Tensor; readonly norm: Tensor } // norm [1]
  /** grads ·= min(1, limit / norm) (Pascanu et al., 2013); nothing when the norm is not finite, so that one can look for the cause */
  | {
      readonly op: 'clip';
      readonly grads: Tensor;
      readonly norm: Tensor; // [1]
      readonly limit: Tensor; // [1]; Infinity clips nothing
    }
  /**
   * Decoupled AdamW (Loshchilov & Hutter, 2019) over whole buffers. `hyper` holds, in this order:
   * learning rate, β1, β2, ε, weight decay, 1 − β1^t, 1 − β2^t. With weight decay 0 it is plain Adam (Kingma & Ba, 2015).
   * Nothing is updated when `guard` (the loss, or the norm of the gradients) is NaN or infinite.
   */
  | {
      readonly op: 'adamw';
      readonly params: Tensor;
      readonly grads: Tensor;
      readonly m: Tensor;
      readonly v: Tensor;
      readonly hyper: Tensor; // [7]
      readonly guard: Tensor; // [1]
    };

export interface Backend {
  readonly name: string;
  readonly precision: 'f64' | 'f32';
  /** A new tensor, zero-filled. */
  alloc(shape: readonly number[], type?: Tensor['type']): Tensor;
  /** Remembers how much is allocated; `reset` gives back everything allocated since. */
  mark(): Mark;
  reset(mark: Mark): void;
  /** Copies values into the front of a tensor. */
  write(x: Tensor, values: ArrayLike<number>): void;
  /** A tensor's numbers in f64 (exact for f32 as well): a copy, or written into an array of the same size. */
  read(x: Tensor, into?: Float64Array): Float64Array;
  /** Runs a list of ops in order. Calling again with the same list must not cost more than the arithmetic. */
  run(ops: readonly Op[]): void;
  close(): void;
}

export interface Mark {
  readonly float: number;
  readonly int: number;
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

/** A part of a tensor under another shape: `offset` elements from its start. Shares the memory. */
export function view(x: Tensor, offset: number, shape: readonly number[]): Tensor {
  return { at: x.at + offset, shape, type: x.type };
}
