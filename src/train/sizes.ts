/**
 * How large a model and how long a training a text deserves: the one dial behind `--time` and behind training without any sizes.
 * Found by experiment (LOG.md). Refuses to know: how fast a machine is; the same text and the same time allowed give the same sizes anywhere.
 */
import type { DataFormat } from './settings.js';

export interface TextSize {
  readonly format: DataFormat;
  /** Examples to learn from. */
  readonly documents: number;
  readonly tokens: number;
  /** Tokens of the longest example, special ones included. */
  readonly longest: number;
}

export interface Sizes {
  readonly nEmbd: number;
  readonly nHead: number;
  readonly nLayer: number;
  readonly blockSize: number;
  readonly batchSize: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly dropout: number;
}

interface Rung {
  /** For at most so many seconds. */
  readonly seconds: number;
  readonly nEmbd: number;
  readonly nLayer: number;
  /** Tokens to learn from in each step, about. */
  readonly tokens: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Where the model has more parameters than the text has tokens. */
  readonly dropout: number;
  readonly context: number;
}

/** What is worth training in a given time on two cores of a current machine. */
const LADDER: readonly Rung[] = [
  { seconds: 2, nEmbd: 32, nLayer: 1, tokens: 256, learningRate: 0.007, weightDecay: 0, dropout: 0, context: 32 },
  { seconds: 20, nEmbd: 64, nLayer: 2, tokens: 256, learningRate: 0.003, weightDecay: 0.01, dropout: 0, context: 64 },
  {
    seconds: 90,
    nEmbd: 128,
    nLayer: 2,
    tokens: 512,
    learningRate: 0.002,
    weightDecay: 0.1,
    dropout: 0.1,
    context: 128,
  },
  {
    seconds: 900,
    nEmbd: 128,
    nLayer: 4,
    tokens: 1024,
    learningRate: 0.002,
    weightDecay: 0.1,
    dropout: 0.1,
    context: 128,
  },
  {
    seconds: Number.POSITIVE_INFINITY,
    nEmbd: 256,
    nLayer: 6,
    tokens: 2048,
    learningRate: 0.001,
    weightDecay: 0.1,
    dropout: 0.1,
    context: 256,
  },
];

/** Without a time: small enough to be done within half a minute on most machines. */
const USUAL = LADDER[1];
const USUAL_TOKENS = 1_000_000;
const HEAD = 16;
const LEAST_HEADS = 4;

/** Sizes for a text and the seconds there are; null for no limit of time, which means the usual sizes. */
export function sizesFor(text: TextSize, seconds: number | null): Sizes {
  const rung = seconds === null ? USUAL : (LADDER.find((one) => seconds <= one.seconds) ?? USUAL);
  const whole = text.format === 'bytes' || text.format === 'chunked';
  const context = whole ? rung.context : Math.min(contextFor(text.longest), Math.max(rung.context, 256));
  const mean = whole ? context : Math.min(context, text.tokens / Math.max(1, text.documents) + 1);
  const batchSize = Math.max(4, Math.min(256, Math.round(rung.tokens / mean)));
  const parameters = 12 * rung.nLayer * rung.nEmbd ** 2; // of the layers
  return {
    nEmbd: rung.nEmbd,
    nHead: Math.max(LEAST_HEADS, rung.nEmbd / HEAD),
    nLayer: rung.nLayer,
    blockSize: context,
    batchSize,
    steps: Math.max(200, Math.round(USUAL_TOKENS / (batchSize * mean) / 100) * 100),
    learningRate: rung.learningRate,
    weightDecay: rung.weightDecay,
    dropout: parameters > text.tokens ? rung.dropout : 0,
  };
}

/** The shortest context, in eights, that holds an example of so many tokens. */
export function contextFor(longest: number): number {
  return Math.max(8, Math.ceil((longest - 1) / 8) * 8);
}
