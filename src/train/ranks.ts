/**
 * Several processes that train one model together: who computes which part of a batch, and how parts become one sum with the same bits
 * however many processes there are.
 * Refuses to know: what carries the numbers (a transport is handed in), models, files. Invariant: part p belongs to rank p mod size, and sums
 * run over the parts in their order, so N processes give the bits of one that computes the same parts one after the other.
 */

/** Moves bytes between processes. All of them must make the same calls in the same order; each call returns when its part is done. */
export interface Transport {
  readonly rank: number;
  readonly size: number;
  /** Rank 0's bytes to everyone, in place. */
  broadcast(bytes: Uint8Array): void;
  /** Bytes sent.from[s] … + sent.count[s] go to rank s; what comes from rank s goes to received.from[s] … */
  allToAll(send: Uint8Array, sent: Layout, receive: Uint8Array, received: Layout): void;
  /** Everyone's `mine`, in the order of the ranks, into `all`; rank s gives counts[s] bytes. */
  allGather(mine: Uint8Array, all: Uint8Array, counts: Int32Array): void;
  /** Seconds spent in these calls so far, waiting for others included. */
  seconds(): number;
  /** To be called when all is done; ends it for everyone. */
  close(): void;
}

/** Where the part of each rank begins in a list of numbers, and how long it is. */
export interface Layout {
  readonly from: Int32Array;
  readonly count: Int32Array;
}

export type Numbers = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** First element of each rank's slice of n numbers, and the end of the last. A pure function of n and the number of ranks. */
export function sliceBounds(n: number, size: number): Int32Array {
  return Int32Array.from({ length: size + 1 }, (_, rank) => Math.floor((n * rank) / size));
}

/** How many of so many parts come in a round, the parts of which start at `first`: ranks from there on have none. */
export function partsIn(parts: number, first: number, size: number): number {
  return Math.max(0, Math.min(size, parts - first));
}

/**
 * The sum of parts of n numbers each, rounded after every addition as f32 (or f64) arithmetic in one process does. Each rank sums one slice:
 * a round sends every other rank its slice and takes the slices of the others, the end gathers them. In all each rank sends about as much as in a ring,
 * n numbers a round and n at the end.
 */
export interface OrderedSum {
  /** For this rank's part, [n]. */
  readonly part: Numbers;
  /** All ranks' parts of this round, of which the first `present` ranks have one. */
  add(present: number): void;
  /** Ends the sum: the same [n] on every rank. */
  finish(): Numbers;
}

export function createOrderedSum(transport: Transport, n: number, precision: 'f32' | 'f64'): OrderedSum {
  const { rank, size } = transport;
  const make = (length: number): Numbers => (precision === 'f32' ? new Float32Array(length) : new Float64Array(length));
  const width = precision === 'f32' ? 4 : 8; // bytes
  const bounds = sliceBounds(n, size);
  const own = (bounds[rank + 1] as number) - (bounds[rank] as number);
  const part = make(n);
  const received = make(own * size);
  const sum = make(own);
  const whole = make(n);
  const zeros = new Int32Array(size);
  const slices = Int32Array.from(
    { length: size },
    (_, s) => ((bounds[s + 1] as number) - (bounds[s] as number)) * width,
  );
  const starts = Int32Array.from({ length: size }, (_, s) => (bounds[s] as number) * width);
  const places = Int32Array.from({ length: size }, (_, s) => s * own * width);
  let first = true;

  return {
    part,
    add(present) {
      const expected = Int32Array.from({ length: size }, (_, s) => (s < present ? own * width : 0));
      transport.allToAll(bytesOf(part), { from: starts, count: rank < present ? slices : zeros }, bytesOf(received), {
        from: places,
        count: expected,
      });
      for (let s = 0; s < present; s++) {
        const theirs = received.subarray(s * own, (s + 1) * own);
        if (first) sum.set(theirs);
        else for (let i = 0; i < own; i++) sum[i] = (sum[i] as number) + (theirs[i] as number); // rounded once: by the array
        first = false;
      }
    },
    finish() {
      transport.allGather(bytesOf(sum), bytesOf(whole), slices);
      first = true;
      return whole;
    },
  };
}

/** Everyone's numbers of a list that is dealt out: entry i lies on rank i mod size. */
export function gatherDealt(transport: Transport, mine: readonly number[], count: number): number[] {
  const { size } = transport;
  const each = Math.ceil(count / size);
  const all = gather(
    transport,
    Float64Array.from({ length: each }, (_, i) => mine[i] ?? 0),
  );
  return Array.from({ length: count }, (_, i) => all[(i % size) * each + Math.floor(i / size)] as number);
}

/** Everyone's numbers, as many from each. */
export function gather(transport: Transport, mine: Float64Array<ArrayBuffer>): Float64Array {
  const all = new Float64Array(mine.length * transport.size);
  transport.allGather(bytesOf(mine), bytesOf(all), new Int32Array(transport.size).fill(mine.byteLength));
  return all;
}

/** Rank 0's bytes, on every rank. What the others give does not count. */
export function share(transport: Transport, bytes: Uint8Array): Uint8Array {
  const length = new Float64Array([bytes.length]);
  transport.broadcast(bytesOf(length));
  const out = transport.rank === 0 ? bytes : new Uint8Array(length[0] as number);
  if (out.length > 0) transport.broadcast(out);
  return out;
}

export function bytesOf(x: Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(x.buffer, x.byteOffset, x.byteLength);
}

/** A transport together with what the ranks agree on. */
export interface Ranks {
  readonly transport: Transport;
  /** Asks for a stop: everyone stops after the same step, the next that begins. */
  askToStop(): void;
  /** Whether this rank has asked. */
  asked(): boolean;
  /** Aborted on all ranks after the same step. */
  readonly stopped: AbortSignal;
  /** To be told, after each step, whether anyone had asked. */
  agree(anyone: boolean): void;
}

/** Whether another rank writes and prints. */
export const isFollower = (ranks: Ranks | undefined): ranks is Ranks => ranks !== undefined && ranks.transport.rank > 0;

export function createRanks(transport: Transport): Ranks {
  const controller = new AbortController();
  let asked = false;
  return {
    transport,
    askToStop: () => {
      asked = true;
    },
    asked: () => asked,
    stopped: controller.signal,
    agree(anyone) {
      if (anyone) controller.abort();
    },
  };
}
