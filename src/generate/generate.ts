/**
 * One sequence from a model: read the prompt, then draw, read, draw … until BOS or the end of the context.
 * Refuses to know: characters, and where logits come from. Invariant: never reads more than `blockSize` tokens.
 */
import { type Draw, probabilities } from './sampler.js';

/** What can read a sequence token by token; see engine/engine.ts. */
export interface Reader {
  readonly position: number;
  next(token: number): Float64Array;
  restart(): void;
}

export interface SequenceOptions {
  /** The special token that begins a sequence and ends it. */
  readonly bos: number;
  /** Ids after BOS; what does not fit into the context is left out. */
  readonly prompt: readonly number[];
  readonly blockSize: number;
  readonly temperature: number;
  readonly draw: Draw;
  /** Which sample this is, for draws by counter. */
  readonly sample: number;
  /** Most tokens to add; the context may end earlier. */
  readonly maxTokens?: number | undefined;
}

/** The tokens that follow the prompt, without BOS. */
export function generateSequence(reader: Reader, options: SequenceOptions): number[] {
  const { bos, prompt, blockSize, temperature, draw, sample, maxTokens = Number.POSITIVE_INFINITY } = options;
  const out: number[] = [];
  if (maxTokens <= 0) return out;
  reader.restart();
  let logits = reader.next(bos);
  for (const token of prompt.slice(0, blockSize - 1)) logits = reader.next(token);
  for (;;) {
    const token = draw(probabilities(logits, temperature), sample, reader.position - 1);
    if (token === bos) return out;
    out.push(token);
    if (out.length >= maxTokens || reader.position >= blockSize) return out;
    logits = reader.next(token);
  }
}
