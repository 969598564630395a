/**
 * Looks inside a model while it reads: the logits after every token, and how much each head of each layer attends to which token before.
 * Runs attention over the whole sequence, which keeps its probabilities, as training does.
 * Invariant: what it shows is what was computed, on the same backend that trains and generates.
 */
import { gpt, type ModelBuffers } from '../model/gpt.js';
import type { Backend, Op, Tensor } from '../tensor/backend.js';
import { attention } from '../tensor/ops.js';
import { createTape, finish } from '../tensor/tape.js';

export interface Look {
  /** T: tokens that were read. */
  readonly length: number;
  /** [T,V] What follows each token. */
  readonly logits: Float64Array;
  /** For each layer [H,T,T]: row t of a head is how it shares its attention among tokens 0 … t; they sum to 1. */
  readonly attention: readonly Float64Array[];
}

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
  return { tokens, positions, logits: logits.value, attention: probs, step };
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
  };
}
