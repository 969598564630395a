/**
 * A corpus as the batches of one run: which examples take part, in which order.
 */
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import type { PythonRandom } from '../base/python-random.js';
import { type Batches, documentBatches, windowBatches } from '../data/batches.js';
import { type TextCorpus, withinContext } from '../data/corpus.js';
import { keyedOrder, pythonOrder } from '../data/order.js';
import type { RunSettings } from '../train/settings.js';

export interface TrainingData {
  readonly batches: Batches;
  /** Tokens of the longest example, cut to the context. */
  readonly longest: number;
  /** Conversations without a word to learn within the context, held out or not. */
  readonly leftOut: LeftOut;
}

/** Examples that teach nothing. */
export interface LeftOut {
  readonly count: number;
  /** Of how many. */
  readonly of: number;
  /** The numbers of the first few in the text, from 1. */
  readonly first: readonly number[];
}

const NAMED = 5;

/**
 * Draws the order from `random` where the settings ask for Python's.
 * @throws MG_DATA_TOO_SMALL when no example has anything to learn within the context.
 */
export function trainingBatches(
  { train, validation, facts }: TextCorpus,
  settings: RunSettings,
  random: PythonRandom,
): TrainingData {
  const { batchSize } = settings;
  const { blockSize } = settings.model;
  const seed = BigInt(settings.seed);
  if (train.kind === 'stream') {
    return {
      batches: windowBatches(train, seed, batchSize, blockSize),
      longest: blockSize,
      leftOut: { count: 0, of: 0, first: [] },
    };
  }
  const { corpus, ...without } = withinContext(train, blockSize);
  if (corpus.count === 0) {
    throw new MicrogptError(
      'MG_DATA_TOO_SMALL',
      `${facts.source}: none of ${count(train.count)} conversations has a word of the assistant within the context of ${blockSize} tokens`,
      'give a larger --block-size, or learn from everybody’s words with --loss-on all',
    );
  }
  const order = settings.data.order === 'python' ? pythonOrder(corpus.count, random) : keyedOrder(corpus.count, seed);
  return {
    batches: documentBatches(corpus, order, batchSize, blockSize),
    longest: Math.max(1, Math.min(blockSize, facts.longest - 1)),
    leftOut: together(
      facts.documents,
      without,
      validation?.kind === 'documents' ? withinContext(validation, blockSize) : null,
    ),
  };
}

/** What is left out of training and of what was held out. */
function together(
  of: number,
  train: Pick<ReturnType<typeof withinContext>, 'leftOut' | 'first'>,
  heldOut: Pick<ReturnType<typeof withinContext>, 'leftOut' | 'first'> | null,
): LeftOut {
  const first = [...train.first, ...(heldOut?.first ?? [])].sort((a, b) => a - b);
  return { count: train.leftOut + (heldOut?.leftOut ?? 0), of, first: first.slice(0, NAMED) };
}
