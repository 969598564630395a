/**
 * A model that is asked what it thinks of a text: scores, comparisons, evaluations. See score/text.ts for what the numbers mean.
 * Invariant: the score of a text has the same bits whether it is scored alone or among thousands.
 */
import { exp } from '../base/math.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import {
  type CountedSequence,
  type Evaluation,
  evaluateSequences,
  evaluateStream,
  evaluateTexts,
} from '../score/evaluate.js';
import { type Calibration, calibration } from '../score/percentiles.js';
import { placesFor } from '../score/reading.js';
import { type ScoreDetail, scoreTexts, type TextScore } from '../score/text.js';
import { createEngine } from './create-engine.js';
import type { BackendName } from './engine.js';
import { type OptionNames, refuse, requireCall, requireNames, requireTexts } from './options.js';

/** How texts are scored, how much is said of them, and who computes. */
export interface ScoreOptions extends ScoreDetail {
  readonly backend?: BackendName | 'auto' | undefined;
}

const DETAIL_NAMES: OptionNames<ScoreDetail> = { perCharacter: true, foldCase: true };
const SCORE_NAMES: OptionNames<ScoreOptions> = { ...DETAIL_NAMES, backend: true };
const BACKEND_NAMES = { backend: true } as const;

/** A model that stays open, to score texts as they come. */
export interface Scorer {
  score(texts: readonly string[], options?: ScoreDetail): TextScore[];
  /** What counts as surprising: scores of texts that are known to be in order. */
  calibrate(texts: readonly string[], options?: Pick<ScoreDetail, 'foldCase'>): Calibration;
  /** Documents, each from its beginning to its end. */
  evaluate(texts: readonly string[]): Evaluation;
  /** Sequences as training has them, of which only some tokens count. */
  evaluateSequences(count: number, sequenceAt: (i: number) => CountedSequence): Evaluation;
  /** One stream of tokens without beginning or end. */
  evaluateStream(tokens: ArrayLike<number>): Evaluation;
  /** Logits [V] for what follows some tokens, at most as many as the context holds. */
  predict(context: readonly number[]): Float64Array;
  close(): void;
}

/** Opens a model; it holds an engine until it is closed. @throws MG_OPTION_VALUE, MG_TRAIN_BACKEND when there is no such backend. */
export function createScorer(model: Checkpoint, options: Pick<ScoreOptions, 'backend'> = {}): Scorer {
  requireCall('createScorer', model, options, BACKEND_NAMES);
  const { backend = 'auto' } = options;
  const { config, tokenizer } = model;
  const engine = createEngine(backend, config, model.parameters);
  const decoder = engine.decoder(placesFor(config));
  const shape = { tokenizer, blockSize: config.blockSize, vocabSize: config.vocabSize };
  return {
    score(texts, options = {}) {
      requireNames('score', options, DETAIL_NAMES);
      requireTexts('texts', texts);
      return scoreTexts(decoder, texts, shape, options);
    },
    calibrate(texts, options = {}) {
      requireNames('calibrate', options, { foldCase: true });
      requireTexts('texts', texts);
      return calibration(scoreTexts(decoder, texts, shape, options).map((one) => one.bitsPerCharacter));
    },
    evaluate(texts) {
      requireTexts('texts', texts);
      return evaluateTexts(decoder, texts, shape);
    },
    evaluateSequences: (count, sequenceAt) => evaluateSequences(decoder, count, sequenceAt, shape),
    evaluateStream: (tokens) => evaluateStream(decoder, tokens, shape),
    predict(context) {
      const { blockSize, vocabSize } = config;
      if (context.length < 1 || context.length > blockSize)
        refuse('the context', `${context.length} tokens`, `1 to ${blockSize} tokens`);
      const odd = context.find((token) => !Number.isSafeInteger(token) || token < 0 || token >= vocabSize);
      if (odd !== undefined) refuse('a token of the context', odd, `an id from 0 to ${vocabSize - 1}`);
      decoder.restart(0);
      const logits = decoder.read(context, new Int32Array(context.length));
      return logits.slice((context.length - 1) * config.vocabSize, context.length * config.vocabSize);
    },
    close: () => engine.close(),
  };
}

/**
 * How surprising texts are to a model: one text or a list. Characters that the model does not know count as very surprising.
 * @throws MG_OPTION_VALUE when they are no texts, MG_GEN_NONFINITE when the model is damaged.
 */
export function score(model: Checkpoint, text: string, options?: ScoreOptions): TextScore;
/** The same for a list of texts, in its order. */
export function score(model: Checkpoint, texts: readonly string[], options?: ScoreOptions): TextScore[];
export function score(
  model: Checkpoint,
  texts: string | readonly string[],
  options: ScoreOptions = {},
): TextScore | TextScore[] {
  requireCall('score', model, options, SCORE_NAMES);
  const list: readonly string[] = typeof texts === 'string' ? [texts] : texts;
  requireTexts('texts', list);
  const { backend, ...detail } = options;
  const scorer = createScorer(model, { backend });
  try {
    const scores = scorer.score(list, detail);
    return typeof texts === 'string' ? scores[0] : scores;
  } finally {
    scorer.close();
  }
}

/** The score of a text among others. */
export interface CandidateScore extends TextScore {
  /** Its probability if one of the candidates must be the text: they sum to 1. */
  readonly probability: number;
}

/** Several texts compared with one another, in their order. @throws as `score` */
export function scoreCandidates(
  model: Checkpoint,
  candidates: readonly string[],
  options: ScoreOptions = {},
): CandidateScore[] {
  const scores = score(model, candidates, options);
  const largest = scores.reduce((most, { logProbability }) => Math.max(most, logProbability), Number.NEGATIVE_INFINITY);
  const weights = scores.map(({ logProbability }) => exp(logProbability - largest));
  const sum = weights.reduce((a, b) => a + b, 0);
  return scores.map((one, i) => ({ ...one, probability: weights[i] / sum }));
}

/** Mean loss, perplexity, bits per character and next-token accuracy over documents. @throws as `score` */
export function evaluate(
  model: Checkpoint,
  texts: readonly string[],
  options: Pick<ScoreOptions, 'backend'> = {},
): Evaluation {
  requireCall('evaluate', model, options, BACKEND_NAMES);
  requireTexts('texts', texts);
  const scorer = createScorer(model, options);
  try {
    return scorer.evaluate(texts);
  } finally {
    scorer.close();
  }
}
