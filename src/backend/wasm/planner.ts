/**
 * The list of commands in the making, and what is known of memory at its end: which ranges are cleared in name only, and which packed
 * copies of weights equal their source.
 * Knows addresses, not ops. Invariant: what is cleared in name is never read before it is written, and a packed copy never after its
 * source was written.
 */
import { sizeOf, type Tensor } from '../../tensor/backend.js';
import * as code from './opcodes.js';
import type { Placed, Products } from './products.js';

/** Weights copied into another layout and kept between runs, because weights are read much more often than written. */
export interface Pack {
  readonly kind: 'transposed' | 'wide' | 'panels';
  readonly from: number;
  readonly bytes: number;
  readonly to: number;
  readonly command: readonly number[];
  /** True while the copy equals its source. */
  fresh: boolean;
}

export interface Plan {
  /** Words of all commands: first those that refresh the packs, then those of the ops. */
  readonly words: Int32Array;
  readonly prologue: number;
  readonly count: number;
  /** Products that are not commands: each follows so many of the ops' commands. */
  readonly products: readonly { readonly after: number; readonly placed: Placed }[];
  /** Packs that the ops read before writing their source. */
  readonly needs: readonly Pack[];
  /** Packs that are stale, or fresh, after a run. */
  readonly leavesStale: readonly Pack[];
  readonly leavesFresh: readonly Pack[];
  /** How far the work can be shared: the number of multiply-adds, roughly. */
  readonly work: number;
}

/** What the compiler needs from its backend. */
export interface Storage {
  packOf(kind: Pack['kind'], w: Tensor): Pack;
  packsWithin(from: number, bytes: number): readonly Pack[];
  /** A block of scratch that all plans share, of at least so many bytes; `slot` tells blocks apart that are in use at once. */
  scratch(slot: number, bytes: number): number;
  readonly workers: number;
  /** Who computes large products instead of the kernels; null for nobody. */
  readonly products: Products | null;
  /** A block of at least so many bytes that all plans share and nobody writes to. */
  zeros(bytes: number): number;
}

export interface Planner {
  readonly storage: Storage;
  /** Appends a command. */
  emit(...words: number[]): void;
  /** Whether a product of so many rows and multiply-adds is one for `multiply`. */
  large(rows: number, multiplyAdds: number): boolean;
  /** Appends a product that the kernels do not compute. */
  multiply(placed: Placed): void;
  /** To be called for everything that an op reads, or writes in part. */
  touch(...tensors: (Tensor | null)[]): void;
  /** To be called for a `zero`: the range is cleared in name. */
  clear(x: Tensor): void;
  /** To be called for what an op adds to, element by element: 1 when it counts as zero, and then the op must write every element. */
  fresh(x: Tensor): 0 | 1;
  /** The packed copy of w, valid at this point of the plan. */
  packed(kind: Pack['kind'], w: Tensor): Pack;
  /** To be called for everything that an op has written: packed copies of it are stale. */
  writes(...tensors: Tensor[]): void;
  /** Counts multiply-adds. */
  count(multiplyAdds: number): void;
  finish(): Plan;
}

export const bytesAt = (x: Tensor): number => x.at * 4;

export function createPlanner(storage: Storage): Planner {
  const commands: number[][] = [];
  const products: { after: number; placed: Placed }[] = [];
  const needs = new Set<Pack>();
  const within = new Map<Pack, boolean>(); // what this plan has done to a pack so far: refreshed or outdated it
  let work = 0;
  const emit = (...words: number[]): void => {
    commands.push(words);
  };

  // Ranges of bytes that a `zero` has cleared in name only. An op that adds to such a range starts its sums at 0 instead of reading it
  // (`fresh`); what anything else touches, and what is left at the end, is cleared for good.
  let cleared: { readonly from: number; readonly to: number }[] = [];

  /** Takes [from, to) out of the ranges cleared in name; `each` sees the parts that were. */
  function settle(from: number, to: number, each: (from: number, to: number) => void): void {
    if (!cleared.some((r) => r.from < to && from < r.to)) return;
    cleared = cleared.flatMap((r) => {
      if (r.from >= to || from >= r.to) return [r];
      each(Math.max(r.from, from), Math.min(r.to, to));
      return [
        { from: r.from, to: from },
        { from: to, to: r.to },
      ].filter((part) => part.from < part.to);
    });
  }

  const clearNow = (from: number, to: number): void => emit(code.ZERO, from, (to - from) / 4);

  function touch(...tensors: (Tensor | null)[]): void {
    for (const x of tensors) if (x !== null) settle(bytesAt(x), bytesAt(x) + sizeOf(x.shape) * 4, clearNow);
  }

  /** To be called for what an op overwrites whole. */
  function replace(x: Tensor): void {
    settle(bytesAt(x), bytesAt(x) + sizeOf(x.shape) * 4, () => {});
  }

  function fresh(x: Tensor): 0 | 1 {
    const from = bytesAt(x);
    const to = from + sizeOf(x.shape) * 4;
    if (cleared.some((r) => r.from <= from && to <= r.to)) {
      replace(x);
      return 1;
    }
    touch(x);
    return 0;
  }

  function packed(kind: Pack['kind'], w: Tensor): Pack {
    const pack = storage.packOf(kind, w);
    const state = within.get(pack);
    if (state === undefined && !needs.has(pack)) needs.add(pack);
    if (state === false) {
      emit(...pack.command);
      within.set(pack, true);
    }
    return pack;
  }

  function writes(...tensors: Tensor[]): void {
    for (const x of tensors) {
      for (const pack of storage.packsWithin(bytesAt(x), sizeOf(x.shape) * 4)) within.set(pack, false);
    }
  }

  function clear(x: Tensor): void {
    replace(x);
    cleared.push({ from: bytesAt(x), to: bytesAt(x) + sizeOf(x.shape) * 4 });
    writes(x);
  }

  function finish(): Plan {
    for (const range of cleared) clearNow(range.from, range.to);

    const all = [...[...needs].map((pack) => pack.command), ...commands];
    const words = new Int32Array(all.length * 16);
    for (const [i, command] of all.entries()) words.set(command, i * 16);
    const states = [...within];
    return {
      words,
      prologue: needs.size,
      count: commands.length,
      products,
      needs: [...needs],
      leavesStale: states.filter(([, fresh]) => !fresh).map(([pack]) => pack),
      leavesFresh: states.filter(([, fresh]) => fresh).map(([pack]) => pack),
      work,
    };
  }

  return {
    storage,
    emit,
    large: (rows, multiplyAdds) =>
      storage.products !== null && rows >= storage.products.leastRows && multiplyAdds >= storage.products.least,
    multiply(placed) {
      products.push({ after: commands.length, placed });
    },
    touch,
    clear,
    fresh,
    packed,
    writes,
    count: (multiplyAdds) => {
      work += multiplyAdds;
    },
    finish,
  };
}
