/**
 * A file system in which the k-th call fails, once or from then on for ever.
 */
import type { FileSystem } from '../../src/node/file-system.js';
import type { MemoryDisk } from './memory-disk.js';

/** A code of the system; or writes that take half of what they are given, or nothing. */
export const FAULTS = [
  'ENOSPC',
  'EDQUOT',
  'EIO',
  'EACCES',
  'EROFS',
  'EMFILE',
  'EXDEV',
  'EPERM',
  'half',
  'nothing',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Faulty {
  readonly fs: FileSystem;
  /** Names of the calls so far. */
  readonly calls: readonly string[];
  /** Handles that were forced to disk again after that had failed. */
  readonly forcedAgain: number;
}

/** `disk`, when given, forgets what a failed fsync should have written. */
export function faulty(inner: FileSystem, at: number, fault: Fault, forever: boolean, disk?: MemoryDisk): Faulty {
  const calls: string[] = [];
  const failedFsync = new Set<number>();
  let forcedAgain = 0;
  let fired = false;

  function isNow(name: string): boolean {
    calls.push(name);
    if (calls.length - 1 < at || (fired && !forever)) return false;
    if ((fault === 'half' || fault === 'nothing') && name !== 'write') return false;
    fired = true;
    return true;
  }
  const wrapped = Object.fromEntries(
    Object.entries(inner).map(([name, call]) => [
      name,
      async (...args: unknown[]) => {
        const [handle] = args as [number];
        const fails = isNow(name);
        if (name === 'fsync' && failedFsync.has(handle)) forcedAgain++;
        if (!fails) return call(...args);
        if (fault === 'nothing') return 0;
        if (fault === 'half') {
          const [, bytes, position] = args as [number, Uint8Array, number];
          return inner.write(handle, bytes.subarray(0, Math.ceil(bytes.length / 2)), position);
        }
        if (name === 'fsync') {
          failedFsync.add(handle);
          disk?.forget(handle);
        }
        if (name === 'close') await inner.close(handle); // the system lets go of it all the same
        throw Object.assign(new Error(`${fault} in ${name}`), { code: fault });
      },
    ]),
  ) as unknown as FileSystem;
  return {
    fs: wrapped,
    calls,
    get forcedAgain() {
      return forcedAgain;
    },
  };
}
