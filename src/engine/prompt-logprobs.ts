/**
 * How likely tokens are, as the model thinks: at temperature 1, without filters. For each token that is drawn, and for those of a prompt.
 * Refuses to know: how tokens are drawn. Invariant: a text has the same numbers whether it is a prompt or was drawn, to the bit, because
 * the logits of a row depend on its own sequence alone.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { likeliest, logSumExp, surprise } from '../score/surprise.js';
import { encodeText, WHICH_CHARACTER } from '../score/text.js';
import type { Decoder } from './engine.js';
import type { OptionNames } from './options.js';
import { createPauses } from './pause.js';

/** A token and ln of its probability. */
export interface TokenLogprob {
  readonly token: number;
  /** ln of its probability. */
  readonly logprob: number;
}

/** A token of a prompt; of a capital that is read as its small letter, that of the small one. */
export interface PromptToken {
  /** The id; null for a character that the model does not know. */
  readonly token: number | null;
  /** Its character; with bytes as tokens, '' for all bytes of one but the first. */
  readonly text: string;
  /** Null where nothing stands before it. */
  readonly logprob: number | null;
  readonly likely: readonly TokenLogprob[];
}

/** How much is said of each token, and when to stop. */
export interface PromptLogprobsOptions {
  /** How many of the likeliest tokens of each place are given; 0 if left out. */
  readonly logprobs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const PROMPT_LOGPROBS_NAMES: OptionNames<PromptLogprobsOptions> = { logprobs: true, signal: true };

/** So many rows are read before the event loop turns. */
const ROWS = 64;

/** A token of V logits and the likeliest ones. @throws MG_GEN_NONFINITE */
export function tokenLogprobs(
  logits: ArrayLike<number>,
  from: number,
  vocabSize: number,
  token: number,
  count: number,
): { readonly logprob: number; readonly likely: TokenLogprob[] } {
  return {
    logprob: -surprise(logits, from, vocabSize, token),
    likely: count === 0 ? [] : likeliestTokens(logits, from, vocabSize, count),
  };
}

function likeliestTokens(logits: ArrayLike<number>, from: number, vocabSize: number, count: number): TokenLogprob[] {
  const total = logSumExp(logits, from, vocabSize);
  return likeliest(logits, from, vocabSize, count).map(({ id }) => ({ token: id, logprob: logits[from + id] - total }));
}

/** The tokens of a text, each given those before it. Ends early, with what there is, when it is aborted or `closed` says so. */
export async function readPromptLogprobs(
  decoder: Decoder,
  { config, tokenizer }: Pick<Checkpoint, 'config' | 'tokenizer'>,
  text: string,
  closed: () => boolean,
  { logprobs = 0, signal }: PromptLogprobsOptions = {},
): Promise<PromptToken[]> {
  const { vocabSize } = config;
  const { tokens, characters, firstToken } = encodeText(tokenizer, text, true); // read as any prompt is
  const bosFirst = tokenizer.bos !== null;
  const sequence = tokens.slice(bosFirst ? 0 : 1, -1); // without what only bounds the text
  const front = bosFirst ? 1 : 0;
  const predictions: Prediction[] = [];
  const pauses = createPauses();
  try {
    decoder.restart(0);
    // What follows the last token is needed only where an unknown character stands at the end.
    for (let at = 0; at < sequence.length; at += ROWS) {
      if (closed() || signal?.aborted) return [];
      const part = sequence.slice(at, at + ROWS);
      const logits = decoder.read(part, new Int32Array(part.length));
      for (let row = 0; row < part.length; row++) {
        predictions.push(predictionOf(logits, row * vocabSize, vocabSize, sequence[at + row + 1], logprobs));
      }
      await pauses.pause();
    }
  } finally {
    pauses.close();
  }
  const out: PromptToken[] = [];
  let place = front; // in `sequence`
  for (const [i, character] of characters.entries()) {
    const count = firstToken[i + 1] - firstToken[i];
    if (count === 0) {
      const before = predictions[place - 1];
      out.push({
        token: null,
        text: character,
        logprob: before === undefined ? null : before.least - WHICH_CHARACTER,
        likely: before?.likely ?? [],
      });
    }
    for (let k = 0; k < count; k++, place++) {
      const before = predictions[place - 1];
      const shown = { token: sequence[place], text: k === 0 ? character : '' };
      out.push({ ...shown, logprob: before?.logprob ?? null, likely: before?.likely ?? [] });
    }
  }
  return out;
}

/** What a row says of the token after it. */
interface Prediction {
  readonly logprob: number | null;
  readonly likely: readonly TokenLogprob[];
  /** That of the least likely token. */
  readonly least: number;
}

function predictionOf(
  logits: ArrayLike<number>,
  from: number,
  vocabSize: number,
  next: number | undefined,
  count: number,
): Prediction {
  const total = logSumExp(logits, from, vocabSize);
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < vocabSize; i++) least = Math.min(least, logits[from + i] - total);
  return {
    logprob: next === undefined ? null : -surprise(logits, from, vocabSize, next),
    likely: count === 0 ? [] : likeliestTokens(logits, from, vocabSize, count),
    least,
  };
}
