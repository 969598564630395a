/**
 * Sequences from a model: read the prompt, then draw, read, draw … until BOS or the end of the context; several side by side.
 * Refuses to know: characters, and where logits come from.
 * Invariant: never reads more than `blockSize` tokens of a sequence; a sample drawn by counter is the same whatever runs beside it.
 */
import { type Draw, probabilities } from './sampler.js';

/** What can read sequences token by token; see engine/engine.ts. */
export interface Reader {
  readonly sequences: number;
  position(sequence: number): number;
  read(tokens: ArrayLike<number>, of: ArrayLike<number>): Float64Array;
  restart(sequence: number): void;
}

export interface SampleOptions {
  /** How many samples. */
  readonly samples: number;
  /** The special token that begins a sequence and ends it. */
  readonly bos: number;
  /** Ids after BOS; what does not fit into the context is left out. */
  readonly prompt: readonly number[];
  readonly blockSize: number;
  readonly vocabSize: number;
  readonly temperature: number;
  readonly draw: Draw;
  /** Most tokens to add to each; the context may end earlier. */
  readonly maxTokens?: number | undefined;
}

/** A sample in the making, in one of the reader's places. */
interface Slot {
  readonly sample: number;
  readonly place: number;
  readonly tokens: number[];
  /** What to read next: the prompt at first, then the token drawn last. */
  unread: readonly number[];
}

/** The tokens that follow the prompt in each sample, without BOS. As many run at once as the reader has places. */
export function generateSamples(reader: Reader, options: SampleOptions): number[][] {
  const {
    samples,
    bos,
    prompt,
    blockSize,
    vocabSize,
    temperature,
    draw,
    maxTokens = Number.POSITIVE_INFINITY,
  } = options;
  const out: number[][] = Array.from({ length: samples }, () => []);
  if (maxTokens <= 0) return out;
  const start = [bos, ...prompt.slice(0, blockSize - 1)];
  let begun = 0;
  const begin = (place: number): Slot[] => {
    if (begun >= samples) return [];
    reader.restart(place);
    const sample = begun++;
    return [{ sample, place, tokens: out[sample], unread: start }];
  };

  let slots = Array.from({ length: reader.sequences }, (_, place) => begin(place)).flat();
  while (slots.length > 0) {
    const logits = reader.read(
      slots.flatMap((slot) => slot.unread),
      slots.flatMap((slot) => slot.unread.map(() => slot.place)),
    );
    let row = -1;
    slots = slots.flatMap((slot) => {
      row += slot.unread.length;
      const next = logits.subarray(row * vocabSize, (row + 1) * vocabSize);
      const token = draw(probabilities(next, temperature), slot.sample, reader.position(slot.place) - 1);
      if (token === bos) return begin(slot.place);
      slot.tokens.push(token);
      if (slot.tokens.length >= maxTokens || reader.position(slot.place) >= blockSize) return begin(slot.place);
      slot.unread = [token];
      return [slot];
    });
  }
  return out;
}
