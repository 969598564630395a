/**
 * Looks inside a model while it reads: the logits after every token, how much each head of each layer attends to which token before, and
 * what stands for every token at each stage on its way through the layers.
 * Runs attention over the whole sequence, which keeps its probabilities, as training does.
 * Invariant: what it shows is what was computed, on the same backend that trains and generates.
 */
import { gpt, type ModelBuffers } from '../model/gpt.js';
import { type Backend, type Op, sizeOf, type Tensor } from '../tensor/backend.js';
import { attention } from '../tensor/ops.js';
import { createTape, finish } from '../tensor/tape.js';

/** All that a model computes on the way through a sequence of T tokens. */
export interface Look {
  /** T: tokens that were read. */
  readonly length: number;
  /** [T,V] What follows each token. */
  readonly logits: Float64Array;
  /** For each layer [H,T,T]: row t of a head is how it shares its attention among tokens 0 … t; they sum to 1. */
  readonly attention: readonly Float64Array[];
  /** The way of every token through the model, in the order of calculation; the last stage is the logits. */
  readonly stages: readonly Stage[];
}

/** What a stage of the model computes; the perceptron (MLP) is widened, bent and narrowed. */
export type StageName =
  | 'embedding'
  | 'norm'
  | 'queries, keys, values'
  | 'attention'
  | 'projection'
  | 'stream'
  | 'widened'
  | 'bent'
  | 'narrowed'
  | 'logits';

/** What one stage of the model gives, for every token. */
export interface Stage {
  readonly name: StageName;
  /** From 0; null before and after the layers. */
  readonly layer: number | null;
  /** Numbers for each token. */
  readonly width: number;
  /** [T,width] */
  readonly values: Float64Array;
}

/** What the ops of one layer leave, in their order (model/gpt.ts). */
const LAYER: readonly StageName[] = [
  'norm',
  'queries, keys, values',
  'attention',
  'projection',
  'stream',
  'norm',
  'widened',
  'bent',
  'narrowed',
  'stream',
];

/** Looks with programs that it keeps, one for each length. `region` makes room where they may lie, and lies over what lay there before. */
export function createLook(backend: Backend, model: ModelBuffers, region: () => void) {
  const programs = new Map<number, LookProgram>();
  return {
    look(tokens: readonly number[]): Look {
      let program = programs.get(tokens.length);
      if (program === undefined) {
        region();
        program = recordLook(backend, model, tokens.length);
        programs.set(tokens.length, program);
      }
      return runLook(backend, program, tokens);
    },
    /** The region has moved. */
    forget: () => programs.clear(),
  };
}

interface LookProgram {
  readonly tokens: Tensor; // int [T]
  readonly positions: Tensor; // int [T]
  readonly logits: Tensor; // [T,V]
  readonly attention: readonly Tensor[]; // [1,H,T,T]
  readonly stages: readonly (Omit<Stage, 'values'> & { readonly at: Tensor })[];
  readonly step: readonly Op[];
}

/** Records reading one sequence of T tokens. */
function recordLook(backend: Backend, model: ModelBuffers, T: number): LookProgram {
  const [tokens, positions] = [1, 2].map(() => backend.alloc([T], 'int'));
  const tape = createTape(backend, false);
  const logits = gpt(tape, { ...model, grads: null }, tokens, positions, (on, _layer, qkv) =>
    attention(on, model.config.nHead, { count: 1, longest: T }, qkv),
  );
  const step = finish(tape).forward;
  const probs = step.flatMap((op) => (op.op === 'attention' ? [op.probs] : []));
  return { tokens, positions, logits: logits.value, attention: probs, stages: stagesOf(step, T, model.config), step };
}

/** Names what each op leaves: the embedding and its norm, ten stages a layer, the last norm, the logits. */
function stagesOf(
  step: readonly Op[],
  T: number,
  { embedNorm, nLayer }: ModelBuffers['config'],
): LookProgram['stages'] {
  const before = embedNorm ? 2 : 1;
  return step.map((op, i) => {
    const at = (op as Extract<Op, { readonly out: Tensor }>).out;
    const width = sizeOf(at.shape) / T;
    const k = i - before;
    if (k < 0) return { name: i === 0 ? 'embedding' : 'norm', layer: null, width, at };
    if (k < nLayer * LAYER.length)
      return { name: LAYER[k % LAYER.length], layer: Math.floor(k / LAYER.length), width, at };
    return { name: i === step.length - 1 ? 'logits' : 'norm', layer: null, width, at };
  });
}

/** Runs a recorded look over as many tokens as it was recorded for. */
function runLook(backend: Backend, program: LookProgram, tokens: readonly number[]): Look {
  backend.write(program.tokens, tokens);
  backend.write(
    program.positions,
    tokens.map((_, t) => t),
  );
  backend.run(program.step);
  return {
    length: tokens.length,
    logits: backend.read(program.logits),
    attention: program.attention.map((x) => backend.read(x)),
    stages: program.stages.map(({ at, ...stage }) => ({ ...stage, values: backend.read(at) })),
  };
}
