/**
 * A calculation on single numbers with the library's own Value, as a graph that can be gone through step by step.
 * Refuses to know: drawing. Invariant: values and gradients are those that Value computes; nothing is calculated a second way.
 */
import { Tape, type Value } from 'microgpt';
import type { Neuron } from '../../engine/protocol';

/** The methods of Value that are used here. */
export type Operation = 'add' | 'mul' | 'pow' | 'relu' | 'tanh';

export interface GraphNode {
  readonly id: number;
  readonly name: string;
  readonly value: Value;
  readonly operation: Operation | null;
  readonly inputs: readonly number[];
  /** The longest way from a leaf. */
  readonly depth: number;
}

export interface Calculation {
  readonly nodes: readonly GraphNode[];
  /** Ids of what is calculated, in order. */
  readonly order: readonly number[];
  /** Forwards, the end's own gradient, backwards. */
  readonly steps: number;
}

export type Phase = 'start' | 'forward' | 'seed' | 'backward';

/** Where one stands after so many steps. */
export interface Moment {
  readonly phase: Phase;
  /** The node whose operation is carried out. */
  readonly active: number | null;
  readonly known: ReadonlySet<number>;
  /** Gradients collected so far; none before the way back. */
  readonly gradients: ReadonlyMap<number, number>;
}

function createGraph() {
  const tape = new Tape();
  const nodes: GraphNode[] = [];
  const push = (name: string, value: Value, operation: Operation | null, inputs: readonly number[]): number => {
    const depth = inputs.length === 0 ? 0 : 1 + Math.max(...inputs.map((id) => nodes[id].depth));
    nodes.push({ id: nodes.length, name, value, operation, inputs, depth });
    return nodes.length - 1;
  };
  const value = (id: number) => nodes[id].value;
  return {
    nodes,
    leaf: (name: string, data: number) => push(name, tape.leaf(data), null, []),
    add: (a: number, b: number) => push('+', value(a).add(value(b)), 'add', [a, b]),
    mul: (a: number, b: number) => push('×', value(a).mul(value(b)), 'mul', [a, b]),
    plus: (a: number, b: number) => push(`+ ${b}`, value(a).add(b), 'add', [a]),
    times: (a: number, b: number) => push(`× ${Number(b.toPrecision(4))}`, value(a).mul(b), 'mul', [a]),
    pow: (a: number, n: number) => push(n === 2 ? 'x²' : `x^${n}`, value(a).pow(n), 'pow', [a]),
    relu: (a: number) => push('relu', value(a).relu(), 'relu', [a]),
    tanh: (a: number) => push('tanh', value(a).tanh(), 'tanh', [a]),
  };
}

type Graph = ReturnType<typeof createGraph>;

function finish({ nodes }: Graph, end: number): Calculation {
  nodes[end].value.backward();
  const order = nodes.filter(({ operation }) => operation !== null).map(({ id }) => id);
  return { nodes, order, steps: 2 * order.length + 1 };
}

export function expression(kind: 'product' | 'tanh'): Calculation {
  const graph = createGraph();
  const [a, b, c] = [
    graph.leaf('a', kind === 'product' ? 2 : 1.5),
    graph.leaf('b', kind === 'product' ? -3 : -0.5),
    graph.leaf('c', kind === 'product' ? 10 : 0.4),
  ];
  const sum = graph.add(graph.mul(a, b), c);
  return finish(graph, kind === 'product' ? graph.pow(sum, 2) : graph.tanh(sum));
}

/** A hidden unit: Σ xᵢ·wᵢ + rest, then the activation of the model. */
export function neuronOf({ inputs, weights, rest, activation }: Neuron): Calculation {
  const graph = createGraph();
  let sum = -1;
  for (const [i, x] of inputs.entries()) {
    const product = graph.mul(graph.leaf(`x${i + 1}`, x), graph.leaf(`w${i + 1}`, weights[i]));
    sum = sum < 0 ? product : graph.add(sum, product);
  }
  sum = graph.add(sum, graph.leaf('rest', rest));
  return finish(graph, activate(graph, sum, activation));
}

function activate(graph: Graph, x: number, kind: Neuron['activation']): number {
  if (kind === 'relu') return graph.relu(x);
  if (kind === 'relu2') return graph.pow(graph.relu(x), 2);
  // gelu in its tanh form: ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
  const inner = graph.add(x, graph.times(graph.pow(x, 3), 0.044715));
  return graph.times(graph.mul(x, graph.plus(graph.tanh(graph.times(inner, Math.sqrt(2 / Math.PI))), 1)), 0.5);
}

export function momentOf({ nodes, order }: Calculation, step: number): Moment {
  const forward = Math.min(step, order.length);
  const known = new Set(nodes.filter(({ operation }) => operation === null).map(({ id }) => id));
  for (const id of order.slice(0, forward)) known.add(id);
  const gradients = new Map<number, number>();
  if (step === 0) return { phase: 'start', active: null, known, gradients };
  if (step <= order.length) return { phase: 'forward', active: order[step - 1], known, gradients };
  gradients.set(order[order.length - 1], 1);
  const back = step - order.length - 1;
  const backwards = [...order].reverse();
  for (const id of backwards.slice(0, back)) {
    // As Tape.backward does: every operation hands its gradient on, multiplied by the local derivative.
    const { value, inputs } = nodes[id];
    const rates = [value.da, value.db];
    for (const [k, input] of inputs.entries())
      gradients.set(input, (gradients.get(input) ?? 0) + rates[k] * value.grad);
  }
  if (back === 0) return { phase: 'seed', active: order[order.length - 1], known, gradients };
  return { phase: 'backward', active: backwards[back - 1], known, gradients };
}
