/**
 * Columns of numbers on disk, for texts too large to keep their token ids in memory. Written once, then read in places; gone when closed.
 * Where the system allows it the files have no name from the start, so that nothing is left even when the process is killed; elsewhere the
 * next run removes them. Refuses to know: what the numbers mean. Invariant: a read gives what was appended.
 */
import { closeSync, openSync, readdirSync, readSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import type { Column, Columns } from '../data/columns.js';
import { makeFolders } from './durable.js';
import { nodeFileSystem, plainReason } from './file-system.js';

export interface FileColumns extends Columns {
  close(): void;
}

/** @throws MG_DATA_SPILL when there is no room for `bytes` bytes of text. */
export async function fileColumns(folder: string, bytes: number): Promise<FileColumns> {
  const place = await usableFolder(folder);
  sweepTokenFiles(place);
  const needed = 2 * bytes;
  const { bavail, bsize } = statfsSync(place);
  if (bavail * bsize < needed) {
    throw noRoom(place, `they need ${megabytes(needed)}, ${megabytes(bavail * bsize)} are free`);
  }
  const tokens = fileColumn(place, 'tokens', (size) => new Uint16Array(size));
  const documents = fileColumn(place, 'documents', (size) => new Float64Array(size));
  return {
    tokens,
    documents,
    close() {
      tokens.close();
      documents.close();
    },
  };
}

const NAME = /^microgpt-(\d+)-\d+\.(tokens|documents)$/;
const BLOCK = 64 * 1024; // bytes
const BEHIND = 16; // numbers of a block that stand before what it was read for
let counter = 0;

function fileColumn<T extends Uint16Array | Float64Array>(
  folder: string,
  what: string,
  make: (size: number) => T,
): Column<T> & { close(): void } {
  const path = join(folder, `microgpt-${process.pid}-${counter++}.${what}`);
  const file = openSync(path, 'wx+', 0o600);
  let named = true;
  const forget = () => {
    try {
      if (named) unlinkSync(path);
      named = false;
    } catch {
      // Windows keeps the name of an open file; it goes when the column is closed.
    }
  };
  forget();

  const unit = make(1).BYTES_PER_ELEMENT;
  let used = 0;
  let open = true;
  const block = make(BLOCK / unit);
  const ahead = block.length / 16;
  let blockFrom = 0;
  let blockCount = 0;
  let [lastFrom, lastEnd] = [0, 0];

  function readInto(target: T, from: number, count: number): void {
    const bytes = new Uint8Array(target.buffer, target.byteOffset, count * unit);
    for (let done = 0; done < bytes.length; ) {
      const n = readSync(file, bytes, done, bytes.length - done, from * unit + done);
      if (n === 0) throw noRoom(folder, 'the file with them ends too early');
      done += n;
    }
  }

  return {
    length: () => used,
    append(values) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      try {
        for (let done = 0; done < bytes.length; ) {
          const n = writeSync(file, bytes, done, bytes.length - done, used * unit + done);
          if (n === 0) throw new Error('the disk takes no more bytes');
          done += n;
        }
      } catch (error) {
        throw noRoom(folder, plainReason(error), error);
      }
      used += values.length;
    },
    read(from, wanted) {
      const count = Math.max(0, Math.min(wanted, used - from));
      if (from >= blockFrom && from + count <= blockFrom + blockCount) {
        return block.subarray(from - blockFrom, from - blockFrom + count) as T;
      }
      // Who goes on where the last read was, or a little further, will go on: then a whole block is read at once. Held-out documents lie
      // scattered, and of one document numbers are read that stand before those read first.
      const onwards = from >= lastFrom && from <= lastEnd + ahead;
      [lastFrom, lastEnd] = [from, from + count];
      if (!onwards || count > block.length) {
        const out = make(count);
        readInto(out, from, count);
        return out;
      }
      blockFrom = count + BEHIND > block.length ? from : Math.max(0, from - BEHIND);
      blockCount = Math.min(block.length, used - blockFrom);
      readInto(block, blockFrom, blockCount);
      return block.subarray(from - blockFrom, from - blockFrom + count) as T;
    },
    whole: () => null,
    close() {
      if (!open) return;
      open = false;
      closeSync(file);
      forget();
    },
  };
}

/** Removes what processes that are no longer there have left. */
export function sweepTokenFiles(folder: string): void {
  for (const name of readdirSync(folder)) {
    const match = NAME.exec(name);
    if (match === null || isAlive(Number(match[1]))) continue;
    try {
      unlinkSync(join(folder, name));
    } catch {
      // Someone else was faster, or owns it.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

async function usableFolder(folder: string): Promise<string> {
  try {
    await makeFolders(nodeFileSystem, folder);
    const probe = join(folder, `.microgpt-${process.pid}-${counter++}.probe`);
    closeSync(openSync(probe, 'wx'));
    unlinkSync(probe);
    return folder;
  } catch {
    return tmpdir();
  }
}

function megabytes(bytes: number): string {
  return `${count(Math.round(bytes / 1e6))} MB`;
}

function noRoom(folder: string, why: string, cause?: unknown): MicrogptError {
  return new MicrogptError(
    'MG_DATA_SPILL',
    `cannot keep the token ids of a large text in ${folder}: ${why}`,
    'make room, or set XDG_CACHE_HOME to a folder on another disk',
    { cause },
  );
}
