/**
 * The reference backend: every op as plain loops over f64, written to be checked by eye. It is compared with the scalar engine,
 * and the fast backends are compared with it. Refuses to be clever. Invariant: each sum runs in the order of its index.
 */
import { type Backend, type Op, sizeOf } from '../../tensor/backend.js';
import { attention, attentionBackward, attentionStep } from './attention.js';
import {
  accumulate,
  activation,
  activationBackward,
  add,
  embed,
  embedBackward,
  linear,
  linearBackward,
  norm,
  normBackward,
} from './layers.js';
import { crossEntropy, crossEntropyBackward } from './loss.js';
import { createMemory, type Memory } from './memory.js';
import { adamw, clip, dropout, gradNorm } from './optimizer.js';

export function createReferenceBackend(): Backend {
  const memory = createMemory();
  return {
    name: 'reference',
    precision: 'f64',
    alloc: memory.alloc,
    mark: memory.mark,
    reset: memory.reset,
    write(x, values) {
      (x.type === 'int' ? memory.ints(x) : memory.floats(x)).set(values);
    },
    read(x, into = new Float64Array(sizeOf(x.shape))) {
      into.set(x.type === 'int' ? memory.ints(x) : memory.floats(x));
      return into;
    },
    run(ops) {
      for (const op of ops) runOp(memory, op);
    },
    close() {},
  };
}

function runOp({ floats, ints }: Memory, op: Op): void {
  switch (op.op) {
    case 'zero':
      floats(op.x).fill(0);
      break;
    case 'add':
      add(floats(op.a), floats(op.b), floats(op.out));
      break;
    case 'accumulate':
      accumulate(floats(op.x), floats(op.into));
      break;
    case 'embed': {
      const C = op.out.shape[1];
      embed(C, ints(op.tokens), ints(op.positions), floats(op.tokenTable), floats(op.positionTable), floats(op.out));
      break;
    }
    case 'embedBackward': {
      const C = op.dOut.shape[1];
      embedBackward(
        C,
        ints(op.tokens),
        ints(op.positions),
        floats(op.dOut),
        floats(op.dTokenTable),
        floats(op.dPositionTable),
      );
      break;
    }
    case 'norm':
      norm(op.kind, op.x.shape[1], floats(op.x), floats(op.out), floats(op.rstd));
      break;
    case 'normBackward':
      normBackward(op.kind, op.out.shape[1], floats(op.out), floats(op.rstd), floats(op.dOut), floats(op.dX));
      break;
    case 'linear': {
      const [O, I] = op.w.shape;
      linear(I, O, floats(op.x), floats(op.w), op.bias && floats(op.bias), floats(op.out));
      break;
    }
    case 'linearBackward': {
      const [O, I] = op.w.shape;
      const dBias = op.dBias && floats(op.dBias);
      linearBackward(I, O, floats(op.x), floats(op.w), floats(op.dOut), floats(op.dX), floats(op.dW), dBias);
      break;
    }
    case 'attention':
      attention(attentionShape(op, ints), floats(op.qkv), floats(op.probs), floats(op.out));
      break;
    case 'attentionBackward':
      attentionBackward(attentionShape(op, ints), floats(op.qkv), floats(op.probs), floats(op.dOut), floats(op.dQkv));
      break;
    case 'attentionStep': {
      const [, N, C] = op.keys.shape;
      const [positions, sequences] = [ints(op.positions), ints(op.sequences)];
      const shape = { N, C, H: op.heads };
      attentionStep(shape, floats(op.qkv), positions, sequences, floats(op.keys), floats(op.values), floats(op.out));
      break;
    }
    case 'activation':
      activation(op.kind, floats(op.x), floats(op.out));
      break;
    case 'activationBackward':
      activationBackward(op.kind, floats(op.x), floats(op.dOut), floats(op.dX));
      break;
    case 'crossEntropy': {
      const V = op.logits.shape[1];
      crossEntropy(
        V,
        floats(op.logits),
        ints(op.targets),
        floats(op.weights),
        floats(op.probs),
        floats(op.losses),
        floats(op.loss),
      );
      break;
    }
    case 'crossEntropyBackward': {
      const V = op.probs.shape[1];
      crossEntropyBackward(V, floats(op.probs), ints(op.targets), floats(op.weights), floats(op.dLogits));
      break;
    }
    case 'dropout':
      floats(op.out).fill(0);
      dropout(floats(op.x), ints(op.key), floats(op.scale), floats(op.out));
      break;
    case 'dropoutBackward':
      dropout(floats(op.dOut), ints(op.key), floats(op.scale), floats(op.dX));
      break;
    case 'gradNorm':
      gradNorm(floats(op.grads), floats(op.norm));
      break;
    case 'clip':
      clip(floats(op.grads), floats(op.norm), floats(op.limit));
      break;
    case 'adamw':
      adamw(floats(op.params), floats(op.grads), floats(op.m), floats(op.v), floats(op.hyper), floats(op.guard));
      break;
    default:
      op satisfies never;
  }
}

type AttentionOp = Extract<Op, { op: 'attention' | 'attentionBackward' }>;

function attentionShape({ heads: H, qkv, probs, starts }: AttentionOp, ints: Memory['ints']) {
  const [B, , , T] = probs.shape;
  return { B, T, C: qkv.shape[2] / 3, H, starts: starts ? ints(starts) : null };
}
