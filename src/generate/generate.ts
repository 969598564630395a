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

/** A sample in the making, in one of the reader's places. */
interface Slot {
  readonly sample: number;
  readonly place: number;
  readonly tokens: number[];
  /** The token drawn last, which is to be read next; null before the prompt was read. */
  last: number | null;
}

/**
 * The tokens that follow the prompt in each sample, without BOS. As many run at once as the reader has places.
 * Arrays are used again from token to token: with a small model, making new ones would cost as much as the model.
 */
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
  const start = (bos === null ? prompt : [bos, ...prompt]).slice(0, blockSize);
  const weights = new Float64Array(vocabSize);
  const tokens: number[] = [];
  const of: number[] = [];
  let begun = 0;

  function begin(place: number): Slot {
    reader.restart(place);
    const sample = begun++;
    return { sample, place, tokens: out[sample], last: null };
  }

  /** Puts what each slot has to read next, a row each, into `tokens` and `of`. */
  function gather(slots: readonly Slot[]): void {
    let rows = 0;
    for (const { place, last } of slots) {
      if (last !== null) {
        tokens[rows] = last;
        of[rows++] = place;
        continue;
      }
      for (const token of start) {
        tokens[rows] = token;
        of[rows++] = place;
      }
    }
    if (tokens.length === rows) return;
    tokens.length = rows;
    of.length = rows;
  }

  /** Draws the next token of a sample; false when the sample is complete. */
  function extend(slot: Slot, logits: Float64Array, row: number): boolean {
    const position = reader.position(slot.place);
    const token = draw(probabilities(logits, temperature, weights, row * vocabSize), slot.sample, position - 1);
    if (token === bos) return false;
    slot.tokens.push(token);
    slot.last = token;
    return slot.tokens.length < maxTokens && position < blockSize;
  }

  const slots: Slot[] = [];
  for (let place = 0; place < reader.sequences && begun < samples; place++) slots.push(begin(place));
  while (slots.length > 0) {
    gather(slots);
    const logits = reader.read(tokens, of);
    let row = -1;
    let kept = 0;
    for (const slot of slots) {
      row += slot.last === null ? start.length : 1;
      if (extend(slot, logits, row)) slots[kept++] = slot;
      else if (begun < samples) slots[kept++] = begin(slot.place);
    }
    slots.length = kept;
  }
  return out;
}
