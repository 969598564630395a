/**
 * Reads sequences token by token on a backend, many side by side, with cached keys and values.
 * Refuses to know: text, sampling. Invariant: the logits of a row depend on its own sequence alone, to the bit, however many rows are
 * read at once.
 */
import type { ModelBuffers } from '../model/gpt.js';
import { allocCaches, type DecodingProgram, recordDecoding } from '../model/program.js';
import type { Backend } from '../tensor/backend.js';
import type { Decoder } from './engine.js';

/** Rows that are read in one go; a longer prompt takes several. */
const MOST_ROWS = 64;

/** `allocating` is called before anything is allocated that must outlive a step. */
export function createTensorDecoder(
  backend: Backend,
  model: ModelBuffers,
  sequences: number,
  allocating: () => void,
): Omit<Decoder, 'close'> {
  const { blockSize, vocabSize } = model.config;
  allocating();
  // One cache more than asked for: the rows that a program has too many are read into it.
  const caches = allocCaches(backend, model.config, sequences + 1);
  const programs = new Map<number, Recorded>();
  const position = new Int32Array(sequences);

  function recordedFor(rows: number): Recorded {
    const size = rows <= 4 ? rows : Math.ceil(rows / 8) * 8;
    let found = programs.get(size);
    if (found === undefined) {
      allocating();
      found = withRoom(recordDecoding(backend, model, caches, size), size, vocabSize);
      programs.set(size, found);
    }
    return found;
  }

  /** At most MOST_ROWS rows. */
  function readRows(tokens: ArrayLike<number>, of: ArrayLike<number>): Float64Array {
    const { program, ints, logits } = recordedFor(tokens.length);
    for (let r = 0; r < ints.tokens.length; r++) {
      const spare = r >= tokens.length;
      const sequence = spare ? sequences : of[r];
      ints.tokens[r] = spare ? 0 : tokens[r];
      ints.sequences[r] = sequence;
      ints.positions[r] = spare ? 0 : position[sequence]++;
      if (ints.positions[r] >= blockSize) throw new RangeError(`sequence ${sequence} is longer than the context`);
    }
    backend.write(program.tokens, ints.tokens);
    backend.write(program.sequences, ints.sequences);
    backend.write(program.positions, ints.positions);
    backend.run(program.step);
    return backend.read(program.logits, logits);
  }

  return {
    sequences,
    position: (sequence) => position[sequence],
    read(tokens, of) {
      if (tokens.length <= MOST_ROWS) return readRows(tokens, of);
      const logits = new Float64Array(tokens.length * vocabSize);
      const part = (x: ArrayLike<number>, from: number) => Int32Array.from(x).subarray(from, from + MOST_ROWS);
      for (let from = 0; from < tokens.length; from += MOST_ROWS) {
        const rows = Math.min(MOST_ROWS, tokens.length - from);
        logits.set(readRows(part(tokens, from), part(of, from)).subarray(0, rows * vocabSize), from * vocabSize);
      }
      return logits;
    },
    restart(sequence, keep = 0) {
      position[sequence] = Math.min(keep, position[sequence]);
    },
  };
}

interface Recorded {
  readonly program: DecodingProgram;
  readonly ints: Record<'tokens' | 'sequences' | 'positions', Int32Array>;
  readonly logits: Float64Array;
}

function withRoom(program: DecodingProgram, rows: number, vocabSize: number): Recorded {
  const ints = () => new Int32Array(rows);
  return {
    program,
    ints: { tokens: ints(), sequences: ints(), positions: ints() },
    logits: new Float64Array(rows * vocabSize),
  };
}
