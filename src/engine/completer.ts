/**
 * What could come next, at every keystroke. The text read so far stays in the cache: a keystroke reads one token, an edit what follows it.
 * Invariant: the answer depends on the text alone, not on how it was typed.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { windowFor, windowOf } from '../generate/sliding.js';
import { likeliest, type NextToken } from '../score/surprise.js';
import { boundaryOf } from '../score/text.js';
import { readPrompt } from '../tokenizer/small-letters.js';
import { createEngine } from './create-engine.js';
import type { BackendName } from './engine.js';
import { requireCall, requireText, requireWhole } from './options.js';

/** A token that could come next. */
export interface Continuation extends NextToken {
  /** How the token is written; null for a special one, such as the end of the text. */
  readonly text: string | null;
}

/** A model that stays open and is asked at every keystroke. Close it when it is over. */
export interface Completer {
  /** The k likeliest next tokens after a text. Read as `generate` reads a prompt: what the model does not know is left out. */
  complete(text: string, k?: number): Continuation[];
  /** How many tokens have been read in all. */
  reads(): number;
  close(): void;
}

/** Who computes. */
export interface CompleterOptions {
  /** The fastest there is if left out. */
  readonly backend?: BackendName | 'auto' | undefined;
}

/** Opens a model; it holds an engine until it is closed. @throws MG_OPTION_VALUE, MG_TRAIN_BACKEND */
export function createCompleter(model: Checkpoint, options: CompleterOptions = {}): Completer {
  requireCall('createCompleter', model, options, { backend: true });
  const { backend = 'auto' } = options;
  const { config, tokenizer } = model;
  const { blockSize, vocabSize } = config;
  const engine = createEngine(backend, config, model.parameters);
  const decoder = engine.decoder(1);
  const window = windowFor(blockSize, tokenizer.bos !== null);
  const boundary = boundaryOf(tokenizer);
  let read: readonly number[] = [];
  let logits = new Float64Array(vocabSize);
  let count = 0;

  return {
    complete(text, k = 5) {
      requireText('text', text);
      requireWhole('k', k, 1);
      const tokens = windowOf([boundary, ...readPrompt(tokenizer, text).ids], window, blockSize);
      let common = 0;
      while (common < read.length && common < tokens.length && read[common] === tokens[common]) common++;
      if (common < tokens.length || common < read.length) {
        // The last token is always read: what it predicted before was not kept.
        const keep = Math.min(common, tokens.length - 1);
        decoder.restart(0, keep);
        const rest = tokens.slice(keep);
        read = []; // in case reading fails
        const rows = decoder.read(rest, new Int32Array(rest.length));
        logits = rows.slice((rest.length - 1) * vocabSize, rest.length * vocabSize);
        read = tokens;
        count += rest.length;
      }
      return likeliest(logits, 0, vocabSize, Math.min(k, vocabSize)).map((next) => ({
        ...next,
        text: tokenizer.pieces[next.id],
      }));
    },
    reads: () => count,
    close: () => engine.close(),
  };
}
