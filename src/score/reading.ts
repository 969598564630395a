/**
 * Reads whole sequences through a model and shows, for every token but the first, the logits that predict it. Many sequences side by
 * side, 64 rows at a time; one that is longer than the context is read in overlapping pieces.
 * Refuses to know: text, probabilities. Invariants: every token but the first is shown exactly once, those of a sequence in their order;
 * the pieces are those in which generation reads a text longer than the context (generate/sliding.ts).
 */
import type { Reader } from '../generate/scheduler.js';
import { windowFor } from '../generate/sliding.js';

/** Rows of one reading. */
const ROWS = 64;

export interface ReadingShape {
  readonly blockSize: number;
  readonly vocabSize: number;
  /** Whether the first token is BOS, which then stays in front of every piece. */
  readonly bosFirst: boolean;
}

/** The logits [V] at `at` say what comes at place `next` of the sequence. They are overwritten by the next reading. */
export type Visit = (sequence: number, next: number, logits: ArrayLike<number>, at: number) => void;

/** A part of a sequence that fits into the context: `lead` tokens of its front, then tokens from … to − 1. */
interface Piece {
  readonly sequence: number;
  readonly lead: number;
  readonly from: number;
  readonly to: number;
  /** The first token whose prediction has not been shown by the piece before. */
  readonly fresh: number;
}

/** How many places a reader needs to be used well: no more than the rows of a reading, and caches of at most 64 MB. */
export function placesFor(config: {
  readonly blockSize: number;
  readonly nEmbd: number;
  readonly nLayer: number;
}): number {
  const cache = 2 * 4 * config.blockSize * config.nEmbd * config.nLayer;
  return Math.max(1, Math.min(ROWS, Math.floor(2 ** 26 / cache)));
}

export function readSequences(
  reader: Reader,
  sequences: readonly ArrayLike<number>[],
  { blockSize, vocabSize, bosFirst }: ReadingShape,
  visit: Visit,
): void {
  const sliding = windowFor(blockSize, bosFirst);
  const places = reader.sequences;
  const tokens: number[] = [];
  const of: number[] = [];
  /** What each row predicts; −1 for rows that only fill the cache. */
  const rowSequence = new Int32Array(ROWS);
  const rowNext = new Int32Array(ROWS);
  let rows = 0;
  let used = 0; // places in this reading
  let place = 0;

  function flush(): void {
    if (rows === 0) return;
    tokens.length = rows;
    of.length = rows;
    const logits = reader.read(tokens, of);
    for (let r = 0; r < rows; r++) {
      if (rowNext[r] >= 0) visit(rowSequence[r], rowNext[r], logits, r * vocabSize);
    }
    rows = 0;
    used = 0;
  }

  function readPiece(all: ArrayLike<number>, { sequence, lead, from, to, fresh }: Piece): void {
    if (used === places) flush();
    place = (place + 1) % places;
    used++;
    reader.restart(place);
    const length = lead + to - from;
    for (let i = 0; i < length; i++) {
      if (rows === ROWS) {
        flush();
        used = 1; // this piece goes on in its place
      }
      const token = i < lead ? i : from + i - lead;
      tokens[rows] = all[token];
      of[rows] = place;
      rowSequence[rows] = sequence;
      rowNext[rows++] = i >= lead && token >= fresh ? token + 1 : -1;
    }
  }

  for (let sequence = 0; sequence < sequences.length; sequence++) {
    const all = sequences[sequence];
    const last = all.length - 1; // predicts nothing, so it is not read
    let from = 0;
    let fresh = 0;
    while (fresh < last) {
      const lead = from === 0 ? 0 : sliding.lead;
      const to = Math.min(last, from + blockSize - lead);
      readPiece(all, { sequence, lead, from, to, fresh });
      fresh = to;
      from = to - sliding.keep;
    }
  }
  flush();
}
