/**
 * One op → the commands of the Wasm module, layouts chosen by shape.
 * Knows shapes and addresses, not models and not threads. Invariant: which kernel serves an op depends on shapes only, so the same
 * calculation has the same bits wherever it stands.
 */
import { type Op, sizeOf, type Tensor } from '../../tensor/backend.js';
import * as code from './opcodes.js';
import { bytesAt, type Planner } from './planner.js';
import { last, linear, linearBackward } from './translate-linear.js';

const ACTIVATIONS = { relu: 0, relu2: 1, gelu: 2 } as const;

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

/** Appends the commands of an op. */
export function translate(op: Op, planner: Planner): void {
  const { emit, touch, clear, fresh, writes, count, storage } = planner;
  switch (op.op) {
    case 'zero':
      clear(op.x);
      break;
    case 'add':
      touch(op.a, op.b, op.out);
      emit(code.ADD, bytesAt(op.a), bytesAt(op.b), bytesAt(op.out), sizeOf(op.out.shape));
      writes(op.out);
      break;
    case 'accumulate':
      count(sizeOf(op.x.shape));
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
      linear(planner, op.x, op.w, op.bias, op.out);
      writes(op.out);
      break;
    case 'linearBackward':
      touch(op.x, op.w, op.dOut);
      linearBackward(planner, op.x, op.w, op.dOut, op.dX, op.dW, op.dBias);
      writes(op.dX);
      writes(op.dW);
      if (op.dBias !== null) writes(op.dBias);
      break;
    case 'attention': {
      const C = last(op.out);
      const { B, T, starts } = sequences(op.qkv, op.probs, op.heads, op.starts);
      const each = Math.ceil((T + 4) / 16) * 64;
      count(B * T * T * C);
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
      count(2 * B * T * T * C);
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
      count(R * N * C);
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
      writes(op.probs, op.losses, op.loss);
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
    case 'dropout':
      touch(op.x, op.key, op.scale, op.out);
      emit(code.DROPOUT, bytesAt(op.x), bytesAt(op.key), bytesAt(op.scale), bytesAt(op.out), sizeOf(op.x.shape));
      writes(op.out);
      break;
    case 'dropoutBackward': {
      touch(op.dOut, op.key, op.scale);
      const [d, key, scale, dX] = [op.dOut, op.key, op.scale, op.dX].map(bytesAt);
      emit(code.DROPOUT_BACKWARD, d, key, scale, dX, sizeOf(op.dX.shape), fresh(op.dX));
      writes(op.dX);
      break;
    }
    case 'gradNorm': {
      const n = sizeOf(op.grads.shape);
      const blocks = Math.ceil(n / 4096);
      const sums = storage.scratch(0, blocks * 8);
      count(n);
      touch(op.grads, op.norm);
      emit(code.SQUARES, bytesAt(op.grads), sums, n);
      emit(code.NORM, sums, bytesAt(op.norm), blocks);
      writes(op.norm);
      break;
    }
    case 'clip':
      count(sizeOf(op.grads.shape));
      touch(op.grads, op.norm, op.limit);
      emit(code.CLIP, bytesAt(op.grads), bytesAt(op.norm), bytesAt(op.limit), sizeOf(op.grads.shape));
      writes(op.grads);
      break;
    case 'adamw':
      count(8 * sizeOf(op.params.shape)); // takes as long as that many multiply-adds of a product
      touch(op.params, op.grads, op.m, op.v, op.hyper, op.guard);
      emit(
        code.ADAMW,
        bytesAt(op.params),
        bytesAt(op.grads),
        bytesAt(op.m),
        bytesAt(op.v),
        bytesAt(op.hyper),
        sizeOf(op.params.shape),
        bytesAt(op.guard),
      );
      writes(op.params);
      writes(op.m);
      writes(op.v);
      break;
    default:
      op satisfies never;
  }
}
