/**
 * Columns of numbers that are written once from front to back and then read anywhere: in memory here, on disk in a host.
 * Refuses to know: what the numbers mean. Invariant: what is read is what was appended, whichever column it is.
 */

export interface Column<T extends Uint16Array | Float64Array> {
  /** How many numbers were appended. */
  length(): number;
  /** Copies the numbers. */
  append(values: T): void;
  /** `count` numbers from `from` on: not to be changed, and valid until the next read. */
  read(from: number, count: number): T;
  /** All of them without a copy, where they are in memory. */
  whole(): T | null;
}

/** Where a corpus keeps its token ids, and three numbers about each document. */
export interface Columns {
  readonly tokens: Column<Uint16Array>;
  readonly documents: Column<Float64Array>;
}

export function memoryColumns(): Columns {
  return {
    tokens: memoryColumn(new Uint16Array(1024), (size) => new Uint16Array(size)),
    documents: memoryColumn(new Float64Array(64), (size) => new Float64Array(size)),
  };
}

function memoryColumn<T extends Uint16Array | Float64Array>(start: T, make: (size: number) => T): Column<T> {
  let room = start;
  let used = 0;
  return {
    length: () => used,
    append(values) {
      if (used + values.length > room.length) {
        const larger = make(Math.max(2 * room.length, used + values.length));
        larger.set(room.subarray(0, used));
        room = larger;
      }
      room.set(values, used);
      used += values.length;
    },
    read: (from, count) => room.subarray(from, from + count) as T,
    whole: () => room.subarray(0, used) as T,
  };
}
