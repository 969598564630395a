/**
 * Many generations on one reader: taken in at any time, up to S side by side, a turn at a time. In a turn every sequence that has been
 * read draws its next token, and prompts are read in pieces, so that nobody waits long for a long prompt of someone else. One whose tokens
 * nobody takes gives its place to one that waits, and comes first when they are taken again; then what it had read is read again.
 * Refuses to know: text, timers, where logits come from. Invariants: what a generation draws depends on itself alone, never on what runs
 * beside it, because logits do not and the draws go by (sample, position); a generation that is cancelled costs at most the turn that runs.
 */
import type { Choose, Sequence } from './filters.js';
import { slide, type Window, windowOf } from './sliding.js';

/** What can read sequences token by token; see engine/engine.ts. */
export interface Reader {
  readonly sequences: number;
  position(sequence: number): number;
  read(tokens: ArrayLike<number>, of: ArrayLike<number>): ArrayLike<number>;
  /** Forgets what was read of a sequence beyond its first `keep` tokens; everything if left out. */
  restart(sequence: number, keep?: number): void;
}

export interface Generation {
  /** What is read first: at least one token. */
  readonly start: readonly number[];
  /** Draws are numbered by (sample, position). */
  readonly sample: number;
  readonly choose: Choose;
  /** [V] 1 = this token ends the sequence and is no part of it. */
  readonly ends: Uint8Array;
  /** Most tokens to draw. */
  readonly maxTokens: number;
  /** How to go on when the context is full; without it, the sequence ends there. */
  readonly window?: Window | undefined;
  /** What may come first [V], and after each token; called before each draw, only where tokens are constrained. */
  readonly mask?: (() => Uint8Array | null) | undefined;
  /** While it says no, nothing is read for the sequence: whoever takes its tokens is behind. It keeps its place as long as nobody wants it. */
  readonly ready?: (() => boolean) | undefined;
  /** Called with each token that is drawn; `false` ends the sequence after it. */
  readonly onToken?: ((token: number) => boolean) | undefined;
  /** Called once. It may add further generations; it must not throw. */
  readonly onEnd: (end: End) => void;
}

export interface End {
  /**
   * `token`: the model drew one of `ends`; `stopped`: onToken said so; `length`: maxTokens; `context`: it is full; `cancelled`;
   * `failed`: with `error`, of this generation alone.
   */
  readonly reason: 'token' | 'stopped' | 'length' | 'context' | 'cancelled' | 'failed';
  /** What was drawn, without the token that ended it. */
  readonly tokens: number[];
  readonly error?: unknown;
}

export interface Scheduler {
  /** S: how many run side by side. */
  readonly places: number;
  /** Takes a generation in; it starts with one of the next turns. */
  add(generation: Generation): { cancel(): void };
  /** One reading and one draw for each sequence that is read. `false` when there is nothing left to do, or nothing that is ready. */
  turn(): boolean;
  /** How many have no place, and how many are in one. */
  waiting(): number;
  running(): number;
}

/** A generation in one of the reader's places. */
interface Slot extends Sequence {
  readonly generation: Generation;
  readonly tokens: number[];
  mask: Uint8Array | null;
  place: number;
  /** What has to be read before the next draw, and how much of it has been; null when that is only the token drawn last. */
  unread: readonly number[] | null;
  at: number;
  /** Rows in the reading of this turn. */
  rows: number;
  /** For how many turns it has not been ready. */
  missed: number;
  cancelled: boolean;
}

/** Whoever has not been ready for so many turns gives his place to one who waits. Fewer would make readers who are just a bit slow read twice. */
const PATIENCE = 64;

const isReady = ({ generation: { ready } }: Slot): boolean => ready === undefined || ready();

/** `rows` is how many tokens a turn reads at most, beyond one for each sequence that is read already. */
export function createScheduler(reader: Reader, blockSize: number, vocabSize: number, rows = 64): Scheduler {
  let queue: Slot[] = [];
  let slots: Slot[] = [];
  let anyCancelled = false;
  let singles = 0; // rows of this turn for sequences that are read but for their last token
  const free = Array.from({ length: reader.sequences }, (_, place) => place);
  /** What was read in each place, as far as it can be used again: [] once the window moved. */
  const held: (readonly number[])[] = Array.from({ length: reader.sequences }, () => []);
  const tokens: number[] = [];
  const of: number[] = [];

  /** The free place that has read most of what this one begins with; that part need not be read again. */
  function admit(slot: Slot): void {
    const start = slot.unread ?? [];
    let best = 0;
    let kept = -1;
    for (let i = free.length - 1; i >= 0; i--) {
      const common = commonPrefix(held[free[i]], start, reader.position(free[i]));
      if (common < kept) continue;
      best = i;
      kept = common;
    }
    slot.place = free[best];
    free[best] = free[free.length - 1];
    free.pop();
    slot.at = Math.max(0, Math.min(kept, start.length - 1)); // the last token must be read: its logits are not kept
    reader.restart(slot.place, slot.at);
    held[slot.place] = slot.unread === slot.generation.start || slot.unread === slot.tokens ? slot.tokens : [];
    slot.missed = 0;
    slots.push(slot);
  }

  /** Gives places to those who wait and are ready, the first first; also those of who has not been ready for more turns than that. */
  function takeIn(patience: number): void {
    while (queue.length > 0) {
      const late = free.length > 0 ? -1 : longestMissed();
      if (free.length === 0 && (late < 0 || slots[late].missed <= patience)) return;
      const at = queue.findIndex(isReady);
      if (at < 0) return;
      const [slot] = queue.splice(at, 1);
      if (slot.generation.maxTokens <= 0) finish(slot, 'length');
      else {
        if (late >= 0) giveUpPlace(late);
        admit(slot);
      }
    }
  }

  /** Who has not been ready for longest; -1 without slots. */
  function longestMissed(): number {
    let longest = -1;
    for (let i = 0; i < slots.length; i++) if (longest < 0 || slots[i].missed > slots[longest].missed) longest = i;
    return longest;
  }

  /** It waits in front of all others, and reads again what it has read, unless a place still holds it. */
  function giveUpPlace(i: number): void {
    const [slot] = slots.splice(i, 1);
    const { window } = slot.generation;
    slot.unread ??= window === undefined ? slot.tokens : windowOf(slot.tokens, window, blockSize);
    slot.at = 0;
    free.push(slot.place);
    slot.place = -1;
    queue.unshift(slot);
  }

  /** A row for each sequence that only has its last token to read; prompts share what room is left. */
  function gather(): void {
    let count = 0;
    let prompts = 0;
    for (const slot of slots) {
      slot.rows = 0;
      if (!isReady(slot)) {
        slot.missed++;
        continue;
      }
      slot.missed = 0;
      if (slot.unread !== null) {
        prompts++;
        slot.rows = -1; // how many, is not known yet
        continue;
      }
      tokens[count] = slot.tokens[slot.tokens.length - 1];
      of[count++] = slot.place;
      slot.rows = 1;
    }
    singles = count;
    if (prompts > 0) count = gatherUnread(count, prompts);
    if (tokens.length === count) return;
    tokens.length = count;
    of.length = count;
  }

  /** In equal parts, so that a short prompt need not wait for the end of a long one; what one leaves goes to those after it. */
  function gatherUnread(from: number, prompts: number): number {
    let count = from;
    let room = Math.max(1, rows - count);
    let left = prompts;
    for (const slot of slots) {
      if (slot.unread === null || slot.rows === 0) continue;
      slot.rows = Math.min(Math.ceil(room / left--), slot.unread.length - slot.at);
      room -= slot.rows;
      for (let i = 0; i < slot.rows; i++) {
        tokens[count] = slot.unread[slot.at + i];
        of[count++] = slot.place;
      }
    }
    return count;
  }

  function finish(slot: Slot, reason: End['reason'], error?: unknown): void {
    if (slot.place >= 0) free.push(slot.place);
    const drawn = slot.tokens.slice(slot.generation.start.length);
    slot.generation.onEnd(error === undefined ? { reason, tokens: drawn } : { reason, tokens: drawn, error });
  }

  /** Draws the next token by the logits of a row; gives the reason when the sequence is complete. */
  function extend(slot: Slot, logits: ArrayLike<number>, row: number): End['reason'] | null {
    const { generation } = slot;
    slot.mask = generation.mask === undefined ? null : generation.mask();
    const token = generation.choose(logits, row * vocabSize, slot);
    if (generation.ends[token] === 1) return 'token';
    slot.tokens.push(token);
    if (generation.onToken !== undefined && !generation.onToken(token)) return 'stopped';
    const full = reader.position(slot.place) >= blockSize;
    if (full && generation.window === undefined) return 'context';
    if (slot.tokens.length - generation.start.length >= generation.maxTokens) return 'length';
    if (full && generation.window !== undefined) readAgain(slot, generation.window);
    return null;
  }

  function readAgain(slot: Slot, window: Window): void {
    reader.restart(slot.place);
    held[slot.place] = [];
    slot.unread = slide(slot.tokens, window);
    slot.at = 0;
  }

  /** What became of a slot by this turn's reading; false when it is done. */
  function advance(slot: Slot, logits: ArrayLike<number>, lastRow: number): boolean {
    if (slot.unread !== null) {
      slot.at += slot.rows;
      if (slot.at < slot.unread.length) return true;
      slot.unread = null;
    }
    let reason: End['reason'] | null;
    let error: unknown;
    try {
      reason = extend(slot, logits, lastRow);
    } catch (thrown) {
      reason = 'failed';
      error = thrown;
    }
    if (reason !== null) finish(slot, reason, error);
    return reason === null;
  }

  /** Those that were cancelled leave before anything is read for them. */
  function leave(): void {
    anyCancelled = false;
    const gone = [...slots, ...queue].filter((slot) => slot.cancelled);
    slots = slots.filter((slot) => !slot.cancelled);
    queue = queue.filter((slot) => !slot.cancelled);
    for (const slot of gone) finish(slot, 'cancelled');
  }

  return {
    places: reader.sequences,
    add(generation) {
      const { start, window, sample } = generation;
      const fits = start.length <= blockSize;
      const unread =
        window !== undefined ? windowOf(start, window, blockSize) : fits ? start : start.slice(0, blockSize);
      const slot: Slot = {
        generation,
        sample,
        tokens: start.slice(),
        mask: null,
        place: -1,
        unread,
        at: 0,
        rows: 0,
        missed: 0,
        cancelled: false,
      };
      queue.push(slot);
      return {
        cancel() {
          slot.cancelled = true;
          anyCancelled = true;
        },
      };
    },
    turn() {
      if (anyCancelled) leave();
      takeIn(PATIENCE);
      gather();
      if (tokens.length === 0) {
        takeIn(0); // nobody in a place is ready
        gather();
      }
      if (tokens.length === 0) return false;
      const logits = reader.read(tokens, of);
      advanceAll(logits);
      return slots.length > 0 || queue.length > 0;
    },
    waiting: () => queue.length,
    running: () => slots.length,
  };

  /** Rows lie in the order of `gather`: first those with one token, then prompts. */
  function advanceAll(logits: ArrayLike<number>): void {
    let single = 0;
    let prompt = singles;
    let kept = 0;
    for (const slot of slots) {
      let row = 0;
      if (slot.unread !== null) {
        prompt += slot.rows;
        row = prompt - 1;
      } else if (slot.rows > 0) row = single++;
      if (slot.rows === 0 || advance(slot, logits, row)) slots[kept++] = slot;
    }
    if (kept < slots.length) slots.length = kept;
  }
}

/** How many tokens both begin with, at most `most`. */
function commonPrefix(a: readonly number[], b: readonly number[], most: number): number {
  const length = Math.min(a.length, b.length, most);
  let i = 0;
  while (i < length && a[i] === b[i]) i++;
  return i;
}
