/**
 * Compiles a list of ops into the commands of the Wasm module: 16 words each, addresses resolved, layouts chosen by shape.
 * Knows shapes and addresses, not models and not threads. Invariant: which kernel serves an op depends on shapes only,
 * and a packed copy of weights is never read after its source was written.
 */
import { type Op, sizeOf, type Tensor } from '../../tensor/backend.js';
import { ZEROS } from './layout.js';
import * as code from './opcodes.js';

/** Weights copied into another layout and kept between runs, because weights are read much more often than written. */
export interface Pack {
  readonly kind: 'transposed' | 'wide' | 'panels';
  readonly from: number;
  readonly bytes: number;
  readonly to: number;
  readonly command: readonly number[];
  /** True while the copy equals its source. */
  fresh: boolean;
}

export interface Plan {
  /** Words of all commands: first those that refresh the packs, then those of the ops. */
  readonly words: Int32Array;
  readonly prologue: number;
  readonly count: number;
  /** Packs that the ops read before writing their source. */
  readonly needs: readonly Pack[];
  /** Packs that are stale, or fresh, after a run. */
  readonly leavesStale: readonly Pack[];
  readonly leavesFresh: readonly Pack[];
  /** How far the work can be shared: the number of multiply-adds, roughly. */
  readonly work: number;
}

/** What the compiler needs from its backend. */
export interface Storage {
  packOf(kind: Pack['kind'], w: Tensor): Pack;
  packsWithin(from: number, bytes: number): readonly Pack[];
  /** A block of scratch that all plans share, of at least so many bytes; `slot` tells blocks apart that are in use at once. */
  scratch(slot: number, bytes: number): number;
  readonly workers: number;
}

/** Above these, packing pays for itself (see NOTES). Below, tiles read the matrices where they lie. */
const PACK_ROWS = 48;
const PACK_ELEMENTS = 4096;

/** Fewer rows than this stream through the weights row by row; from here on, tiles of four rows. */
const FEW_ROWS = 3;

const ACTIVATIONS = { relu: 0, relu2: 1, gelu: 2 } as const;

const bytesAt = (x: Tensor): number => x.at * 4;

function last(x: Tensor, back = 1): number {
  return x.shape[x.shape.length - back] ?? 1;
}

/** B sequences of T tokens; or, packed, of T at most. */
function sequences(
  qkv: Tensor,
  probs: Tensor,
  heads: number,
  starts: Tensor | undefined,
): { B: number; T: number; starts: number } {
  if (starts === undefined) {
    const T = last(qkv, 2);
    return { B: sizeOf(probs.shape) / (heads * T * T), T, starts: 0 };
  }
  const B = sizeOf(starts.shape) - 1;
  return { B, T: Math.floor(Math.sqrt(sizeOf(probs.shape) / (B * heads))), starts: bytesAt(starts) };
}

export function compile(ops: readonly Op[], storage: Storage): Plan {
  const commands: number[][] = [];
  const needs = new Set<Pack>();
  const within = new Map<Pack, boolean>(); // what this plan has done to a pack so far: refreshed or outdated it
  let work = 0;
  const emit = (...words: number[]): void => {
    commands.push(words);
  };

  // Ranges of bytes that a `zero` has cleared in name only. An op that adds to such a range starts its sums at 0 instead of reading it
  // (`fresh`); what anything else touches, and what is left at the end, is cleared for good.
  let cleared: { readonly from: number; readonly to: number }[] = [];

  /** Takes [from, to) out of the ranges cleared in name; `each` sees the parts that were. */
  function settle(from: number, to: number, each: (from: number, to: number) => void): void {
    if (!cleared.some((r) => r.from < to && from < r.to)) return;
    cleared = cleared.flatMap((r) => {
      if (r.from >= to || from >= r.to) return [r];
      each(Math.max(r.from, from), Math.min(r.to, to));
      return [
        { from: r.from, to: from },
        { from: to, to: r.to },
      ].filter((part) => part.from < part.to);
    });
  }

  const clear = (from: number, to: number): void => emit(code.ZERO, from, (to - from) / 4);

  /** To be called for everything that an op reads, or writes in part. */
  function touch(...tensors: (Tensor | null)[]): void {
    for (const x of tensors) if (x !== null) settle(bytesAt(x), bytesAt(x) + sizeOf(x.shape) * 4, clear);
  }

  /** To be called for what an op overwrites whole. */
  function replace(x: Tensor): void {
    settle(bytesAt(x), bytesAt(x) + sizeOf(x.shape) * 4, () => {});
  }

  /** To be called for what an op adds to, element by element: 1 when it counts as zero, and then the op must write every element. */
  function fresh(x: Tensor): 0 | 1 {
    const from = bytesAt(x);
    const to = from + sizeOf(x.shape) * 4;
    if (cleared.some((r) => r.from <= from && to <= r.to)) {
      replace(x);
      return 1;
    }
    touch(x);
    return 0;
  }

  /** The packed copy of w, valid at this point of the plan. */
  function packed(kind: Pack['kind'], w: Tensor): Pack {
    const pack = storage.packOf(kind, w);
    const state = within.get(pack);
    if (state === undefined && !needs.has(pack)) needs.add(pack);
    if (state === false) {
      emit(...pack.command);
      within.set(pack, true);
    }
    return pack;
  }

  function writes(x: Tensor): void {
    for (const pack of storage.packsWithin(bytesAt(x), sizeOf(x.shape) * 4)) within.set(pack, false);
  }

  function linear(x: Tensor, w: Tensor, bias: Tensor | null, out: Tensor): void {
    const I = last(w);
    const O = last(w, 2);
    const R = sizeOf(x.shape) / I;
    const from = bias === null ? ZEROS : bytesAt(bias);
    const fromColumns = bias === null ? 0 : 32;
    work += R * I * O;
    if (R < FEW_ROWS) {
      emit(code.MATVEC, bytesAt(x), I * 4, packed('wide', w).to, I, from, fromColumns * 4, bytesAt(out), O * 4, R, O);
    } else {
      const b = packed('transposed', w).to;
      emit(code.MATMUL_ROWS, bytesAt(x), I * 4, b, I * 32, 32, I, from, 0, fromColumns, bytesAt(out), O * 4, R, O);
    }
  }

  function linearBackward(x: Tensor, w: Tensor, dOut: Tensor, dX: Tensor, dW: Tensor, dBias: Tensor | null): void {
    const I = last(w);
    const O = last(w, 2);
    const R = sizeOf(x.shape) / I;
    const big = R >= PACK_ROWS && O * I >= PACK_ELEMENTS;
    work += 2 * R * I * O;
    /** Where the sums of an [.., I] output start: at the output itself, or at nothing. */
    const start = (to: Tensor): readonly [number, number, number] =>
      fresh(to) ? [ZEROS, 0, 0] : [bytesAt(to), I * 4, 32];
    // dX += dOut·w
    if (big)
      emit(
        code.MATMUL_ROWS,
        bytesAt(dOut),
        O * 4,
        packed('panels', w).to,
        O * 32,
        32,
        O,
        ...start(dX),
        bytesAt(dX),
        I * 4,
        R,
        I,
      );
    else emit(code.MATMUL_ROWS, bytesAt(dOut), O * 4, bytesAt(w), 32, I * 4, O, ...start(dX), bytesAt(dX), I * 4, R, I);
    // dW += dOutᵀ·x
    if (big) {
      const a = storage.scratch(0, Math.ceil(O / 4) * 4 * R * 4);
      const b = storage.scratch(1, Math.ceil(I / 8) * 8 * R * 4);
      emit(code.PACK_QUADS, bytesAt(dOut), a, R, O);
      emit(code.PACK_PANELS, bytesAt(x), b, R, I);
      emit(code.MATMUL_COLUMNS, a, 16, b, R * 32, 32, R, ...start(dW), bytesAt(dW), I * 4, O, I, R * 16);
    } else {
      emit(
        code.MATMUL_COLUMNS,
        bytesAt(dOut),
        O * 4,
        bytesAt(x),
        32,
        I * 4,
        R,
        ...start(dW),
        bytesAt(dW),
        I * 4,
        O,
        I,
        16,
      );
    }
    if (dBias !== null) emit(code.SUM_COLUMNS, bytesAt(dOut), bytesAt(dBias), R, O, fresh(dBias));
  }

  for (const op of ops) {
    switch (op.op) {
      case 'zero': {
        const from = bytesAt(op.x);
        replace(op.x);
        cleared.push({ from, to: from + sizeOf(op.x.shape) * 4 });
        writes(op.x);
        break;
      }
      case 'add':
        touch(op.a, op.b, op.out);
        emit(code.ADD, bytesAt(op.a), bytesAt(op.b), bytesAt(op.out), sizeOf(op.out.shape));
        writes(op.out);
        break;
      case 'accumulate':
        touch(op.x);
        if (fresh(op.into)) emit(code.COPY, bytesAt(op.x), bytesAt(op.into), sizeOf(op.into.shape));
        else emit(code.ADD, bytesAt(op.into), bytesAt(op.x), bytesAt(op.into), sizeOf(op.into.shape));
        writes(op.into);
        break;
      case 'embed':
        touch(op.tokens, op.positions, op.tokenTable, op.positionTable, op.out);
        emit(
          code.EMBED,
          bytesAt(op.tokens),
          bytesAt(op.positions),
          bytesAt(op.tokenTable),
          bytesAt(op.positionTable),
          bytesAt(op.out),
          last(op.out),
          sizeOf(op.tokens.shape),
        );
        writes(op.out);
        break;
      case 'embedBackward':
        touch(op.tokens, op.positions, op.dOut, op.dTokenTable, op.dPositionTable);
        emit(
          code.EMBED_BACKWARD,
          bytesAt(op.tokens),
          bytesAt(op.positions),
          bytesAt(op.dOut),
          bytesAt(op.dTokenTable),
          bytesAt(op.dPositionTable),
          last(op.dOut),
          sizeOf(op.tokens.shape),
        );
        writes(op.dTokenTable);
        writes(op.dPositionTable);
        break;
      case 'norm': {
        const C = last(op.x);
        touch(op.x, op.out, op.rstd);
        emit(
          op.kind === 'rmsnorm' ? code.RMSNORM : code.LAYERNORM,
          bytesAt(op.x),
          bytesAt(op.out),
          bytesAt(op.rstd),
          C,
          sizeOf(op.x.shape) / C,
        );
        writes(op.out);
        writes(op.rstd);
        break;
      }
      case 'normBackward': {
        const C = last(op.out);
        touch(op.out, op.rstd, op.dOut);
        emit(
          code.NORM_BACKWARD,
          bytesAt(op.out),
          bytesAt(op.rstd),
          bytesAt(op.dOut),
          bytesAt(op.dX),
          C,
          sizeOf(op.out.shape) / C,
          op.kind === 'layernorm' ? 1 : 0,
          fresh(op.dX),
        );
        writes(op.dX);
        break;
      }
      case 'linear':
        touch(op.x, op.w, op.bias, op.out);
        linear(op.x, op.w, op.bias, op.out);
        writes(op.out);
        break;
      case 'linearBackward':
        touch(op.x, op.w, op.dOut);
        linearBackward(op.x, op.w, op.dOut, op.dX, op.dW, op.dBias);
        writes(op.dX);
        writes(op.dW);
        if (op.dBias !== null) writes(op.dBias);
        break;
      case 'attention': {
        const C = last(op.out);
        const { B, T, starts } = sequences(op.qkv, op.probs, op.heads, op.starts);
        const each = Math.ceil((T + 4) / 16) * 64;
        work += B * T * T * C;
        touch(op.qkv, op.probs, op.out, op.starts ?? null);
        emit(
          code.ATTENTION,
          bytesAt(op.qkv),
          bytesAt(op.probs),
          bytesAt(op.out),
          op.heads,
          T,
          C / op.heads,
          storage.scratch(0, each * storage.workers),
          each,
          B * op.heads,
          starts,
        );
        writes(op.out);
        writes(op.probs);
        break;
      }
      case 'attentionBackward': {
        const C = last(op.dOut);
        const { B, T, starts } = sequences(op.qkv, op.probs, op.heads, op.starts);
        const each = Math.ceil((2 * T * (Math.ceil(T / 4) * 4 + 4)) / 16) * 64;
        work += 2 * B * T * T * C;
        touch(op.qkv, op.probs, op.dOut, op.starts ?? null);
        emit(
          code.ATTENTION_BACKWARD,
          bytesAt(op.qkv),
          bytesAt(op.probs),
          bytesAt(op.dOut),
          bytesAt(op.dQkv),
          op.heads,
          T,
          C / op.heads,
          storage.scratch(0, each * storage.workers),
          each,
          B * op.heads,
          fresh(op.dQkv),
          starts,
        );
        writes(op.dQkv);
        break;
      }
      case 'attentionStep': {
        const C = last(op.out);
        const R = sizeOf(op.out.shape) / C;
        const N = last(op.keys, 2);
        const each = Math.ceil((N + 4) / 16) * 64;
        work += R * N * C;
        touch(op.qkv, op.positions, op.sequences, op.keys, op.values, op.out);
        const rows = [
          bytesAt(op.qkv),
          bytesAt(op.positions),
          bytesAt(op.sequences),
          bytesAt(op.keys),
          bytesAt(op.values),
        ] as const;
        emit(code.CACHE_STORE, ...rows, C * 4, N, R);
        emit(
          code.ATTENTION_STEP,
          ...rows,
          bytesAt(op.out),
          op.heads,
          N,
          C / op.heads,
          storage.scratch(0, each * storage.workers),
          each,
          R * op.heads,
        );
        writes(op.out);
        writes(op.keys);
        writes(op.values);
        break;
      }
      case 'activation':
        touch(op.x, op.out);
        emit(code.ACTIVATION, ACTIVATIONS[op.kind], bytesAt(op.x), bytesAt(op.out), sizeOf(op.x.shape));
        writes(op.out);
        break;
      case 'activationBackward':
        touch(op.x, op.dOut);
        emit(
          code.ACTIVATION_BACKWARD,
          ACTIVATIONS[op.kind],
          bytesAt(op.x),
          bytesAt(op.dOut),
          bytesAt(op.dX),
          sizeOf(op.x.shape),
          fresh(op.dX),
        );
        writes(op.dX);
        break;
      case 'crossEntropy': {
        const V = last(op.logits);
        const R = sizeOf(op.logits.shape) / V;
        touch(op.logits, op.targets, op.weights, op.probs, op.losses, op.loss);
        emit(
          code.CROSS_ENTROPY,
          bytesAt(op.logits),
          bytesAt(op.targets),
          bytesAt(op.weights),
          bytesAt(op.probs),
          bytesAt(op.losses),
          V,
          R,
        );
        emit(code.WEIGHTED_LOSS, bytesAt(op.weights), bytesAt(op.losses), bytesAt(op.loss), R);
        for (const x of [op.probs, op.losses, op.loss]) writes(x);
        break;
      }
      case 'crossEntropyBackward': {
        const V = last(op.probs);
        touch(op.probs, op.targets, op.weights);
        emit(
          code.CROSS_ENTROPY_BACKWARD,
          bytesAt(op.probs),
          bytesAt(op.targets),
          bytesAt(op.weights),
          bytesAt(op.dLogits),
          V,
          sizeOf(op.probs.shape) / V,
          fresh(op.dLogits),
        );
        writes(op.dLogits);
        break;
      }
      case 'adamw':
        touch(op.params, op.grads, op.m, op.v, op.hyper);
        emit(
          code.ADAMW,
          bytesAt(op.params),
          bytesAt(op.grads),
          bytesAt(op.m),
          bytesAt(op.v),
          bytesAt(op.hyper),
          sizeOf(op.params.shape),
        );
        writes(op.params);
        writes(op.m);
        writes(op.v);
        break;
      default:
        op satisfies never;
    }
  }
  for (const range of cleared) clear(range.from, range.to);

  const all = [...[...needs].map((pack) => pack.command), ...commands];
  const words = new Int32Array(all.length * 16);
  all.forEach((command, i) => words.set(command, i * 16));
  const states = [...within];
  return {
    words,
    prologue: needs.size,
    count: commands.length,
    needs: [...needs],
    leavesStale: states.filter(([, fresh]) => !fresh).map(([pack]) => pack),
    leavesFresh: states.filter(([, fresh]) => fresh).map(([pack]) => pack),
    work,
  };
}
