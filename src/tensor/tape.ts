/**
 * Automatic differentiation over tensors, recorded once and replayed for ever.
 * A tape collects the forward ops in the order of calculation, and for each the ops that carry its gradient back. Nothing is
 * computed while recording: a backend runs the finished lists, each time on the numbers that then lie in the tensors.
 * Refuses to know: models, and how ops are carried out.
 * Invariant: gradients are cleared before anything adds to them, and flow in exactly the reverse order of the forward ops.
 */
import type { Backend, Op, Tensor } from './backend.js';

/** A tensor in the calculation, and the tensor that its gradient is collected in (null when nothing is trained). */
export interface Node {
  readonly value: Tensor;
  readonly grad: Tensor | null;
}

export interface Tape {
  readonly backend: Backend;
  /** False for inference: no gradients are allocated and no backward ops recorded. */
  readonly training: boolean;
  readonly forward: Op[];
  /** Gradients of intermediate results, in the order of allocation. */
  readonly gradients: Tensor[];
  /** Backward ops in the order of the forward ops: to be read from the end. */
  readonly undo: Op[];
}

/** What a tape becomes: two lists of ops, ready for `backend.run`. */
export interface Program {
  readonly forward: readonly Op[];
  readonly backward: readonly Op[];
}

export function createTape(backend: Backend, training: boolean): Tape {
  return { backend, training, forward: [], gradients: [], undo: [] };
}

/** A node for the result of an op. */
export function newNode(tape: Tape, shape: readonly number[]): Node {
  const value = tape.backend.alloc(shape);
  if (!tape.training) return { value, grad: null };
  const grad = tape.backend.alloc(shape);
  tape.gradients.push(grad);
  return { value, grad };
}

/** Writes down one op, and when training also the ops that carry its gradient back. */
export function record(tape: Tape, forward: Op, undo: (grad: (node: Node) => Tensor) => readonly Op[]): void {
  tape.forward.push(forward);
  if (tape.training) tape.undo.push(...[...undo(gradient)].reverse());
}

export function finish(tape: Tape): Program {
  const clear = tape.gradients.map((x): Op => ({ op: 'zero', x }));
  return { forward: tape.forward, backward: [...clear, ...tape.undo.reverse()] };
}

function gradient(node: Node): Tensor {
  if (node.grad === null) throw new Error('a gradient flows into a node that has none');
  return node.grad;
}
