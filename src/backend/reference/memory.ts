/**
 * The reference backend's memory: one growing run of f64 numbers and one of integers, handed out from the front.
 */
import { type Mark, sizeOf, type Tensor } from '../../tensor/backend.js';

export interface Memory {
  alloc(shape: readonly number[], type?: Tensor['type']): Tensor;
  mark(): Mark;
  reset(mark: Mark): void;
  floats(x: Tensor): Float64Array;
  ints(x: Tensor): Int32Array;
}

export function createMemory(): Memory {
  let floatMemory = new Float64Array(1024);
  let intMemory = new Int32Array(64);
  let used: Mark = { float: 0, int: 0 };

  return {
    alloc(shape, type = 'float') {
      const size = sizeOf(shape);
      const at = used[type];
      used = { ...used, [type]: at + size };
      if (type === 'float') {
        floatMemory = grown(floatMemory, used.float, (n) => new Float64Array(n));
        floatMemory.fill(0, at, at + size);
      } else {
        intMemory = grown(intMemory, used.int, (n) => new Int32Array(n));
        intMemory.fill(0, at, at + size);
      }
      return { at, shape, type };
    },
    mark: () => used,
    reset(mark) {
      used = mark;
    },
    floats: (x) => floatMemory.subarray(x.at, x.at + sizeOf(x.shape)),
    ints: (x) => intMemory.subarray(x.at, x.at + sizeOf(x.shape)),
  };
}

function grown<A extends Float64Array | Int32Array>(array: A, needed: number, make: (length: number) => A): A {
  if (needed <= array.length) return array;
  const larger = make(Math.max(needed, 2 * array.length));
  larger.set(array);
  return larger;
}
