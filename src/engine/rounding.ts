/**
 * What rounding its weights costs a model: the loss before and after, on the same text.
 * Refuses to know: files. Invariant: both models read exactly the same tokens.
 */
import { exp, log } from '../base/math.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { createEngine } from './create-engine.js';
import { generate } from './text.js';

export interface RoundingCost {
  /** Mean loss per token, in nats. */
  readonly before: number;
  readonly after: number;
  readonly tokens: number;
}

const MOST_TOKENS = 16_384;
const SAMPLES = 64;

/** On `documents`, or where there are none on samples of the model itself. Null when there is not a single token to foretell. */
export function roundingCost(
  exact: Checkpoint,
  rounded: Checkpoint,
  documents?: readonly string[],
): RoundingCost | null {
  const texts = documents ?? generate(exact, { samples: SAMPLES, temperature: 1, maxTokens: exact.config.blockSize });
  const sequences: number[][] = [];
  let tokens = 0;
  for (const text of texts) {
    const { bos } = exact.tokenizer;
    const ids = exact.tokenizer.encode(text).ids;
    const framed = bos === null ? ids : [bos, ...ids, bos];
    const sequence = framed.slice(0, exact.config.blockSize + 1);
    if (sequence.length < 2) continue;
    sequences.push(sequence);
    tokens += sequence.length - 1;
    if (tokens >= MOST_TOKENS) break;
  }
  if (tokens === 0) return null;
  return { before: totalLoss(exact, sequences) / tokens, after: totalLoss(rounded, sequences) / tokens, tokens };
}

/** Nats over all tokens but the first of each sequence. */
function totalLoss(model: Checkpoint, sequences: readonly (readonly number[])[]): number {
  const engine = createEngine('auto', model.config, model.parameters);
  const decoder = engine.decoder();
  const V = model.config.vocabSize;
  let sum = 0;
  try {
    for (const sequence of sequences) {
      decoder.restart(0);
      const rows = sequence.length - 1;
      const logits = decoder.read(sequence.slice(0, rows), new Array<number>(rows).fill(0)); // [rows, V]
      for (let r = 0; r < rows; r++) sum += surprise(logits.subarray(r * V, (r + 1) * V), sequence[r + 1]);
    }
    return sum;
  } finally {
    engine.close();
  }
}

/** -log softmax(logits)[token] */
function surprise(logits: Float64Array, token: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const x of logits) most = Math.max(most, x);
  let sum = 0;
  for (const x of logits) sum += exp(x - most);
  return log(sum) + most - logits[token];
}
