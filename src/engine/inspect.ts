/**
 * What a model sees in a prompt: after each token the likeliest next ones, and the attention of every head.
 * Invariant: the tokens are those that generation would read for the same prompt.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { windowFor, windowOf } from '../generate/sliding.js';
import { likeliest, type NextToken } from '../score/surprise.js';
import { boundaryOf } from '../score/text.js';
import { readPrompt } from '../tokenizer/small-letters.js';
import { createEngine } from './create-engine.js';
import type { BackendName } from './engine.js';
import type { Look } from './look.js';
import { requireCall, requireText, requireWhole } from './options.js';

/** How much is said of each token. */
export interface InspectOptions {
  /** How many of the likeliest next tokens; 5 if left out. */
  readonly top?: number | undefined;
  readonly backend?: BackendName | 'auto' | undefined;
}

/** What a model makes of a prompt. */
export interface Inspection {
  /** T tokens that the model reads; text is null for special ones. */
  readonly tokens: readonly { readonly id: number; readonly text: string | null }[];
  /** After each of the T tokens, the likeliest next ones. */
  readonly next: readonly (readonly (NextToken & { readonly text: string | null })[])[];
  readonly look: Look;
}

/** @throws MG_OPTION_VALUE, MG_TRAIN_BACKEND on the value backend, MG_GEN_NONFINITE when the model is damaged. */
export function inspect(model: Checkpoint, prompt: string, options: InspectOptions = {}): Inspection {
  requireCall('inspect', model, options, { top: true, backend: true });
  requireText('prompt', prompt);
  const { top = 5, backend = 'auto' } = options;
  requireWhole('top', top, 1);
  const { config, tokenizer } = model;
  const { blockSize, vocabSize } = config;
  const all = [boundaryOf(tokenizer), ...readPrompt(tokenizer, prompt).ids];
  const tokens = windowOf(all, windowFor(blockSize, tokenizer.bos !== null), blockSize);
  const engine = createEngine(backend, config, model.parameters);
  try {
    const look = engine.look(tokens);
    const text = (id: number) => tokenizer.pieces[id] ?? null;
    return {
      tokens: tokens.map((id) => ({ id, text: text(id) })),
      next: tokens.map((_, t) =>
        likeliest(look.logits, t * vocabSize, vocabSize, Math.min(top, vocabSize)).map((next) => ({
          ...next,
          text: text(next.id),
        })),
      ),
      look,
    };
  } finally {
    engine.close();
  }
}
