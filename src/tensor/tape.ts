/**
 * Automatic differentiation over tensors, recorded once and replayed for ever.
 * A tape collects the forward ops in the order of calculation, and for each the ops that carry its gradient back. Nothing is
 * computed while recording: a backend runs the finished lists, each time on the numbers that then lie in the tensors.
 * Refuses to know: models, and how ops are carried out.
 * Invariant: gradients flow in exactly the reverse order of the forward ops; that of an intermediate result is cleared right before
 * the first op that adds to it, and its memory is used again after the op that made the result has passed it on.
 */
import { type Backend, type Op, sizeOf, type Tensor } from './backend.js';

/** A tensor in the calculation. `grad` is where the gradient of a parameter is collected; intermediate results have null. */
export interface Node {
  readonly value: Tensor;
  readonly grad: Tensor | null;
}

/** The ops that carry a gradient back; `grad` gives the gradient of any node that they read or add to. */
export type Undo = (grad: (node: Node) => Tensor) => readonly Op[];

export interface Tape {
  readonly backend: Backend;
  /** False for inference: nothing is noted for the way back. */
  readonly training: boolean;
  readonly forward: Op[];
  /** For each forward op its result, if it has one that goes on, and what carries the gradient back. */
  readonly undo: { readonly out: Node | null; readonly undo: Undo }[];
}

/** What a tape becomes: two lists of ops, ready for `backend.run`. */
export interface Program {
  readonly forward: readonly Op[];
  readonly backward: readonly Op[];
}

/** An empty tape; its tensors will be allocated on `backend`. */
export function createTape(backend: Backend, training: boolean): Tape {
  return { backend, training, forward: [], undo: [] };
}

/** A node for the result of an op. */
export function newNode(tape: Tape, shape: readonly number[]): Node {
  return { value: tape.backend.alloc(shape), grad: null };
}

/** Writes down one op with its result, and when training also what carries its gradient back. */
export function record(tape: Tape, forward: Op, out: Node | null, undo: Undo): void {
  tape.forward.push(forward);
  if (tape.training) tape.undo.push({ out, undo });
}

/** The lists of ops, the backward one with its gradients allocated. */
export function finish(tape: Tape): Program {
  const backward: Op[] = [];
  const held = new Map<Node, Tensor>();
  const free = new Map<number, Tensor[]>(); // gradients that are done with, by size

  function grad(node: Node): Tensor {
    if (node.grad !== null) return node.grad;
    let x = held.get(node);
    if (x === undefined) {
      const { shape } = node.value;
      const used = free.get(sizeOf(shape))?.pop();
      x = used === undefined ? tape.backend.alloc(shape) : { ...used, shape };
      held.set(node, x);
      backward.push({ op: 'zero', x });
    }
    return x;
  }

  for (const { out, undo } of [...tape.undo].reverse()) {
    const ops = undo(grad); // may push what clears a gradient
    backward.push(...ops);
    const done = out === null ? undefined : held.get(out);
    if (done === undefined) continue;
    const size = sizeOf(done.shape);
    free.set(size, [...(free.get(size) ?? []), done]);
  }
  return { forward: tape.forward, backward };
}
