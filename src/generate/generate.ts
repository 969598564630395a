/**
 * Samples of one prompt: as many at once as the reader has places, each until BOS or the end of the context.
 * Refuses to know: characters, and where logits come from.
 * Invariant: never reads more than `blockSize` tokens of a sequence; a sample drawn by counter is the same whatever runs beside it.
 */
import { createChoose } from './filters.js';
import type { Draw } from './sampler.js';
import { createScheduler, type Reader } from './scheduler.js';

export type { Reader } from './scheduler.js';

export interface SampleOptions {
  /** How many samples. */
  readonly samples: number;
  /** The special token that begins a sequence and ends it; null where there is none, then the prompt must not be empty. */
  readonly bos: number | null;
  /** Ids after BOS; what does not fit into the context is left out. */
  readonly prompt: readonly number[];
  readonly blockSize: number;
  readonly vocabSize: number;
  readonly temperature: number;
  readonly draw: Draw;
  /** Most tokens to add to each; the context may end earlier. */
  readonly maxTokens?: number | undefined;
}

/** The tokens that follow the prompt in each sample, without BOS. */
export function generateSamples(reader: Reader, options: SampleOptions): number[][] {
  const { samples, bos, prompt, blockSize, vocabSize, maxTokens = Number.POSITIVE_INFINITY } = options;
  const scheduler = createScheduler(reader, blockSize, vocabSize);
  const choose = createChoose({ temperature: options.temperature }, vocabSize, options.draw, [bos]);
  const start = (bos === null ? prompt : [bos, ...prompt]).slice(0, blockSize);
  const ends = endTokens(vocabSize, [bos]);
  const out: number[][] = [];
  let failure: unknown = null;
  let begun = 0;
  function begin(): void {
    const sample = begun++;
    scheduler.add({
      start,
      sample,
      choose,
      ends,
      maxTokens,
      onEnd(end) {
        if (end.reason === 'failed') failure ??= end.error;
        out[sample] = end.tokens;
        if (begun < samples) begin();
      },
    });
  }
  while (begun < Math.min(samples, reader.sequences)) begin();
  while (scheduler.turn()) if (failure !== null) break;
  if (failure !== null) throw failure;
  return out;
}

/** [V] 1 for tokens that end a sequence. */
export function endTokens(vocabSize: number, tokens: readonly (number | null)[]): Uint8Array {
  const ends = new Uint8Array(vocabSize);
  for (const token of tokens) if (token !== null) ends[token] = 1;
  return ends;
}
