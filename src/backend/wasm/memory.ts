/**
 * One Wasm memory, shared out twice: an arena with mark and reset for tensors, and blocks that the backend keeps for itself
 * (command lists, packed weights, scratch), which outlive any reset.
 * Knows no op. Invariant: addresses are multiples of 64 bytes and never move; 256 bytes after every block may be read, so a kernel can
 * load the last vector of a row whole.
 */
import { CONSTANTS } from './constants.js';
import { type HostMemory, wasm } from './host.js';
import { LOG2E } from './layout.js';

const PAGE = 65536;
const SLACK = 256;
/** Where the fixed part of the first page ends (layout.ts). */
const FIRST = 4096;

interface Chunk {
  readonly from: number;
  readonly to: number;
}

export interface WasmMemory {
  readonly memory: HostMemory;
  /** Byte address of a zero-filled block of the arena. */
  take(bytes: number): number;
  /** Where the arena stands: a chunk and an address in it. */
  mark(): { readonly float: number; readonly int: number };
  reset(mark: { readonly float: number; readonly int: number }): void;
  /** Byte address of a zero-filled block that is never given back. */
  keep(bytes: number): number;
  /** Views of the whole memory; call again after anything was taken or kept, since growing replaces the buffer. */
  floats(): Float32Array;
  ints(): Int32Array;
}

export function createMemory(options: { readonly shared: boolean; readonly maximumPages: number }): WasmMemory {
  const memory = new wasm.Memory({ initial: 16, maximum: options.maximumPages, shared: options.shared });
  let floats = new Float32Array(memory.buffer);
  let ints = new Int32Array(memory.buffer);
  floats.set(CONSTANTS, LOG2E / 4);
  const arena: Chunk[] = [];
  let chunk = -1; // index of the arena's current chunk
  let top = 0; // next free address in it
  let own: Chunk = { from: FIRST, to: PAGE };
  let ownTop = FIRST;
  let unclaimed = PAGE; // first address that belongs to nobody

  function refresh(): void {
    if (floats.buffer === memory.buffer) return;
    floats = new Float32Array(memory.buffer);
    ints = new Int32Array(memory.buffer);
  }

  /** A chunk for at least `bytes`: a megabyte, or a sixteenth of what is claimed already, so that growing stays rare. */
  function claim(bytes: number): Chunk {
    const size = Math.ceil(Math.max(bytes + SLACK, 1 << 20, unclaimed / 16) / PAGE) * PAGE;
    const from = unclaimed;
    const missing = from + size - memory.buffer.byteLength;
    if (missing > 0) {
      const before = memory.buffer.byteLength / PAGE;
      try {
        memory.grow(Math.ceil(missing / PAGE));
      } catch (cause) {
        throw new RangeError(
          `wasm memory is full: ${Math.ceil(bytes / 1048576)} MiB more were asked for, ${Math.round((before * PAGE) / 1048576)} of ${Math.round((options.maximumPages * PAGE) / 1048576)} MiB are in use; lower the batch, the context or the width`,
          { cause },
        );
      }
      refresh();
    }
    unclaimed = from + size;
    return { from, to: from + size };
  }

  const up = (n: number): number => Math.ceil(n / 64) * 64;

  return {
    memory,
    take(bytes) {
      const size = up(bytes);
      for (;;) {
        const current = arena[chunk];
        if (current !== undefined && top + size + SLACK <= current.to) break;
        const next = arena[chunk + 1];
        if (next === undefined) arena.push(claim(size));
        else if (next.to - next.from < size + SLACK) arena.splice(chunk + 1, 0, claim(size));
        chunk++;
        top = (arena[chunk] as Chunk).from;
      }
      const at = top;
      top += size;
      new Uint8Array(memory.buffer, at, size).fill(0);
      return at;
    },
    mark: () => ({ float: top, int: chunk }),
    reset(mark) {
      chunk = mark.int;
      top = mark.float;
    },
    keep(bytes) {
      const size = up(bytes);
      if (ownTop + size + SLACK > own.to) {
        own = claim(size);
        ownTop = own.from;
      }
      const at = ownTop;
      ownTop += size;
      new Uint8Array(memory.buffer, at, size).fill(0);
      return at;
    },
    floats: () => floats,
    ints: () => ints,
  };
}
