/**
 * What shapes the probabilities before the draw. The order: bias → tokens that are not allowed → temperature → repetition penalty →
 * top-k → softmax → top-p → min-p → draw. Each sees what the one before left over, and at least one token is always left.
 * Refuses to know: text. Invariant: without filters this is softmax and draw alone, and nothing is allocated from token to token.
 */
import { MicrogptError } from '../base/errors.js';
import { exp } from '../base/math.js';
import { type Draw, nonfinite, probabilities } from './sampler.js';

export interface Sampling {
  /** 0 = always the largest logit, the lowest id of equal ones. */
  readonly temperature: number;
  /** Only the k most likely; tokens as likely as the k-th stay as well. 0 = off. */
  readonly topK?: number | undefined;
  /** Only the most likely ones that together have this probability; 1 = off. */
  readonly topP?: number | undefined;
  /** Only those at least this many times as likely as the likeliest; 0 = off. */
  readonly minP?: number | undefined;
  /** Logits of tokens in the window are divided by this (multiplied where negative), once per occurrence. 1 = off. */
  readonly repetitionPenalty?: number | undefined;
  /** How many of the last tokens the penalty looks at; all if left out. */
  readonly repetitionWindow?: number | undefined;
  /** Added to the logits of some tokens; −Infinity forbids one. */
  readonly bias?: ReadonlyMap<number, number> | undefined;
  /** [V] 1 = may be drawn. */
  readonly allowed?: Uint8Array | undefined;
}

/** A sequence as the one who chooses its next token sees it. */
export interface Sequence {
  readonly sample: number;
  /** Everything read and drawn so far, BOS in front where there is one. */
  readonly tokens: readonly number[];
  /** [V] what may follow here; null where everything may. */
  readonly mask: Uint8Array | null;
}

/** Chooses the next token by the V logits from `from` on. */
export type Choose = (logits: ArrayLike<number>, from: number, sequence: Sequence) => number;

/** `silent` tokens (BOS) are no part of the text, so no repetition is counted of them. */
export function createChoose(
  sampling: Sampling,
  vocabSize: number,
  draw: Draw,
  silent: readonly (number | null)[] = [],
): Choose {
  const weights = new Float64Array(vocabSize);
  const { temperature } = sampling;
  const filtered = createFilters(sampling, vocabSize, silent);
  if (filtered.needed) {
    return (logits, from, sequence) =>
      draw(filtered.probabilities(logits, from, sequence, weights), sequence.sample, sequence.tokens.length - 1);
  }
  return (logits, from, sequence) => {
    const p =
      sequence.mask === null
        ? probabilities(logits, temperature, weights, from)
        : filtered.probabilities(logits, from, sequence, weights);
    return draw(p, sequence.sample, sequence.tokens.length - 1);
  };
}

/** The filters alone: `needed` says whether any is set. */
export function createFilters(sampling: Sampling, vocabSize: number, silent: readonly (number | null)[] = []) {
  const { temperature, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, repetitionWindow, bias, allowed } = sampling;
  const sorted = new Float64Array(vocabSize);
  const limitsK = topK > 0 && topK < vocabSize;
  const needed =
    limitsK || topP < 1 || minP > 0 || repetitionPenalty !== 1 || (bias?.size ?? 0) > 0 || allowed !== undefined;

  function penalise(scores: Float64Array, tokens: readonly number[]): void {
    const first = repetitionWindow === undefined ? 0 : Math.max(0, tokens.length - repetitionWindow);
    for (let i = first; i < tokens.length; i++) {
      const token = tokens[i];
      if (silent.includes(token)) continue;
      if (scores[token] > 0) scores[token] /= repetitionPenalty;
      else scores[token] *= repetitionPenalty;
    }
  }

  /** Logits with bias, −Infinity where not allowed. */
  function scoresOf(logits: ArrayLike<number>, from: number, mask: Uint8Array | null, out: Float64Array): void {
    for (let i = 0; i < vocabSize; i++) {
      const logit = logits[from + i];
      if (!(logit < Number.POSITIVE_INFINITY)) throw nonfinite(i, logit);
      out[i] = logit;
    }
    if (bias !== undefined) for (const [token, amount] of bias) out[token] += amount;
    if (allowed !== undefined) for (let i = 0; i < vocabSize; i++) if (allowed[i] === 0) out[i] = Number.NEGATIVE_INFINITY;
    if (mask !== null) for (let i = 0; i < vocabSize; i++) if (mask[i] === 0) out[i] = Number.NEGATIVE_INFINITY;
  }

  return {
    needed,
    /** The probabilities [V] that the next token is drawn by, in `out`. @throws MG_GEN_NONFINITE, MG_GEN_IMPOSSIBLE */
    probabilities(logits: ArrayLike<number>, from: number, sequence: Sequence, out: Float64Array): Float64Array {
      scoresOf(logits, from, sequence.mask, out);
      requireChoice(out);
      // Dividing by a temperature of 0, or by one so small that the quotient overflows, leaves only the largest.
      const hot = Number.isFinite(out[largest(out)] / temperature);
      if (hot) for (let i = 0; i < vocabSize; i++) out[i] /= temperature;
      if (repetitionPenalty !== 1) penalise(out, sequence.tokens);
      if (!hot) return onlyOne(out, largest(out));
      if (limitsK) keepTopK(out, topK, sorted);
      softmax(out);
      if (topP < 1) keepTopP(out, topP, sorted);
      if (minP > 0) keepMinP(out, minP);
      return out;
    },
  };
}

function requireChoice(scores: Float64Array): void {
  if (scores[largest(scores)] > Number.NEGATIVE_INFINITY) return;
  throw new MicrogptError(
    'MG_GEN_IMPOSSIBLE',
    'the filters and the bias leave no token that could come next',
    'allow more tokens',
  );
}

/** The lowest id of those with the largest score. */
function largest(scores: Float64Array): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i] > scores[best]) best = i;
  return best;
}

function onlyOne(out: Float64Array, token: number): Float64Array {
  out.fill(0);
  out[token] = 1;
  return out;
}

function softmax(scores: Float64Array): void {
  const top = scores[largest(scores)];
  let sum = 0;
  for (let i = 0; i < scores.length; i++) {
    scores[i] = exp(scores[i] - top);
    sum += scores[i];
  }
  for (let i = 0; i < scores.length; i++) scores[i] /= sum;
}

function keepTopK(scores: Float64Array, k: number, sorted: Float64Array): void {
  sorted.set(scores);
  sorted.sort();
  const least = sorted[scores.length - k];
  for (let i = 0; i < scores.length; i++) if (scores[i] < least) scores[i] = Number.NEGATIVE_INFINITY;
}

/** The smallest number of tokens, likeliest first and of equal ones the lowest id, whose probabilities reach `p` together. */
function keepTopP(out: Float64Array, p: number, sorted: Float64Array): void {
  sorted.set(out);
  sorted.sort();
  let at = out.length - 1;
  let sum = sorted[at];
  while (sum < p && at > 0 && sorted[at - 1] > 0) sum += sorted[--at];
  const least = sorted[at];
  let equals = 0; // as likely as the last one that stays, and staying
  for (let i = at; i < out.length && sorted[i] === least; i++) equals++;
  for (let i = 0; i < out.length; i++) {
    if (out[i] > least) continue;
    if (out[i] === least && equals > 0) equals--;
    else out[i] = 0;
  }
  renormalise(out);
}

function keepMinP(out: Float64Array, minP: number): void {
  const least = minP * out[largest(out)];
  for (let i = 0; i < out.length; i++) if (out[i] < least) out[i] = 0;
  renormalise(out);
}

function renormalise(out: Float64Array): void {
  let sum = 0;
  for (let i = 0; i < out.length; i++) sum += out[i];
  for (let i = 0; i < out.length; i++) out[i] /= sum;
}
