/**
 * Which of some given texts would the model say? Each with its probability among them.
 * Refuses to know: sampling. Invariant: probabilities add up to 1, and a candidate's log-probability is that of all its tokens and of
 * the end after them.
 */
import { MicrogptError } from '../base/errors.js';
import { exp, log } from '../base/math.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { readPrompt } from '../tokenizer/small-letters.js';
import { createEngine } from './create-engine.js';
import type { Decoder } from './engine.js';
import { COMPUTER_NAMES, type GenerateOptions } from './generate-options.js';
import { refuse, requireCall, requireText } from './options.js';
import type { Model } from './plan.js';

/** A candidate and how likely it is. */
export interface Choice {
  readonly text: string;
  /** Among the candidates. */
  readonly probability: number;
  /** ln of the probability that the model gives this text, and then its end, after the prompt. */
  readonly logProbability: number;
}

const SIDE_BY_SIDE = 32;

/**
 * The candidates in their order, each with its probability after the prompt. A model with BOS is asked for whole texts (BOS follows);
 * one without, for texts that begin so.
 * @throws MG_OPTION_VALUE when a candidate has characters that the model does not know, or does not fit into the context.
 */
export function choices(
  model: Checkpoint,
  prompt: string,
  candidates: readonly string[],
  options: Pick<GenerateOptions, 'backend' | 'threads'> = {},
): Choice[] {
  requireCall('choices', model, options, COMPUTER_NAMES);
  const { backend, threads } = options;
  requireText('prompt', prompt);
  if (!Array.isArray(candidates)) refuse('candidates', candidates, 'a list of texts');
  for (const [i, candidate] of candidates.entries()) requireText(`candidates[${i}]`, candidate);
  const sequences = candidates.map((text) => sequenceOf(model, prompt, text));
  if (sequences.length === 0) return [];
  const engine = createEngine(backend ?? 'auto', model.config, model.parameters, { threads });
  try {
    const decoder = engine.decoder(Math.min(SIDE_BY_SIDE, sequences.length));
    const logs = logProbabilities(decoder, model.config.vocabSize, sequences);
    const top = logs.reduce((a, b) => Math.max(a, b));
    const weights = logs.map((x) => exp(x - top));
    const total = weights.reduce((a, b) => a + b, 0);
    return candidates.map((text, i) => ({ text, probability: weights[i] / total, logProbability: logs[i] }));
  } finally {
    engine.close();
  }
}

interface Scored {
  readonly tokens: readonly number[];
  /** The first token that counts. */
  readonly from: number;
}

function sequenceOf({ config, tokenizer }: Model, prompt: string, text: string): Scored {
  const { ids, unknown } = tokenizer.encode(text);
  if (unknown.length > 0) {
    throw new MicrogptError(
      'MG_OPTION_VALUE',
      `the candidate ${JSON.stringify(text)} has ${unknown.map((c) => JSON.stringify(c)).join(', ')}, which the model does not know`,
      'give candidates of characters that the model was trained on',
    );
  }
  const { bos } = tokenizer;
  const known = readPrompt(tokenizer, prompt).ids;
  const before = bos === null ? (known.length > 0 ? known : tokenizer.encode('\n').ids) : [bos, ...known];
  const tokens = bos === null ? [...before, ...ids] : [...before, ...ids, bos];
  if (tokens.length - 1 > config.blockSize) {
    throw new MicrogptError(
      'MG_OPTION_VALUE',
      `prompt and candidate ${JSON.stringify(text)} have ${tokens.length - 1} tokens, the context holds ${config.blockSize}`,
      'give shorter ones, or use a model with a longer context',
    );
  }
  return { tokens, from: before.length };
}

/** Σ ln p of the tokens from `from` on, of each sequence; as many side by side as the decoder has places. */
function logProbabilities(decoder: Decoder, vocabSize: number, sequences: readonly Scored[]): number[] {
  const out: number[] = [];
  for (let first = 0; first < sequences.length; first += decoder.sequences) {
    const group = sequences.slice(first, first + decoder.sequences);
    group.forEach((_, place) => {
      decoder.restart(place);
    });
    const rows = group.flatMap(({ tokens }, place) => tokens.slice(0, -1).map((token, at) => ({ token, place, at })));
    const logits = decoder.read(
      rows.map(({ token }) => token),
      rows.map(({ place }) => place),
    );
    const sums = group.map(() => 0);
    rows.forEach(({ place, at }, r) => {
      const { tokens, from } = group[place];
      if (at + 1 >= from) sums[place] += logProbability(logits, r * vocabSize, vocabSize, tokens[at + 1]);
    });
    out.push(...sums);
  }
  return out;
}

/** ln softmax(logits)[token] of the V logits from `from` on. */
export function logProbability(logits: ArrayLike<number>, from: number, vocabSize: number, token: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < vocabSize; i++) top = Math.max(top, logits[from + i]);
  let sum = 0;
  for (let i = 0; i < vocabSize; i++) sum += exp(logits[from + i] - top);
  const value = logits[from + token] - top - log(sum);
  if (Number.isNaN(value)) {
    throw new MicrogptError('MG_GEN_NONFINITE', 'the logits are not finite', 'this model is damaged: train it again');
  }
  return value;
}
